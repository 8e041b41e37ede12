"""A fixed piece of arithmetic that tells how fast the box computes at this moment.

It is a product of two square f32 matrices, on as many threads as the model runs on. Another
process on the same cores, another guest of the same hypervisor or a sibling hyper-thread slows it
as it slows the model: on shared cloud machines by half, in processor time too.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import numpy.typing as npt

from edge_runtime.bench.clocks import timed

SIDE = 256  # 34 MFLOP in 0.8 MB: a quarter of a millisecond on a server's core, inside its L2
PEAK_SIDE = 512  # large enough for the highest rate
PEAK_S = 0.05
TIMES = 2

Floats = npt.NDArray[np.float32]

# The linear algebra library must use one thread a product: the reference brings its own.
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Reference:
    """The arithmetic, on `threads` threads at once."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self._work = _operands(SIDE, threads)

    def level(self) -> tuple[int, int]:
        """(wall, processor) nanoseconds: the least of a few, when the caches hold it."""
        self._run(self._work)
        taken = [timed(partial(self._run, self._work)) for _ in range(TIMES)]
        return min(wall for wall, _ in taken), min(processor for _, processor in taken)

    def peak_gflops(self) -> float:
        """The highest rate of f32 products seen in PEAK_S, over all threads."""
        work = _operands(PEAK_SIDE, self._threads)
        best, end = 0.0, time.perf_counter() + PEAK_S
        while not best or time.perf_counter() < end:
            wall, processor = timed(partial(self._run, work))
            taken = processor if self._threads == 1 and processor else wall
            best = max(best, _rate(PEAK_SIDE, self._threads, taken))
        return best

    def _run(self, work: list[tuple[Floats, Floats]]) -> None:
        if self._pool is None:
            _multiply(work[0])
        else:
            list(self._pool.map(_multiply, work))


def level_gflops(level: float, threads: int) -> float:
    """The rate that a `level` of nanoseconds stands for, over all threads."""
    return _rate(SIDE, threads, level)


def _rate(side: int, threads: int, nanoseconds: float) -> float:
    return 2 * side**3 * threads / nanoseconds


def _operands(side: int, threads: int) -> list[tuple[Floats, Floats]]:
    rng = np.random.default_rng(0)
    return [
        (rng.random((side, side), np.float32), np.empty((side, side), np.float32))
        for _ in range(threads)
    ]


def _multiply(work: tuple[Floats, Floats]) -> None:
    factor, product = work
    np.matmul(factor, factor, out=product)
