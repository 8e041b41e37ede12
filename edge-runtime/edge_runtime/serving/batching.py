"""Whether requests that wait together should run together: only where it pays and changes nothing.

A graph with a free batch axis is tried once, at warm-up. A size is used when a picture of it takes
at most `PAYS` of one alone and its outputs are the same to the bit: an engine picks its arithmetic
by shapes, not by values, so what holds for one picture holds for all.
"""

import time
from collections.abc import Callable, Sequence

import numpy as np

from edge_runtime.engines import Session, UInt8
from edge_runtime.errors import EdgeRuntimeError

SIZES = (2, 4, 8)
Clock = Callable[[], float]

PAYS = 0.9
ROUNDS, TRIAL_S = 5, 0.5  # of each size, and in all


def sizes_that_pay(session: Session, clock: Clock = time.perf_counter) -> tuple[int, ...]:
    """The sizes of batches that are worth it, rising; none when the batch axis is not free."""
    shape = session.input.shape
    if len(shape) != 4 or shape[0] is not None or None in shape[1:]:
        return ()
    sides = tuple(axis for axis in shape[1:] if axis is not None)
    pictures = np.resize(np.arange(251, dtype=np.uint8), (SIZES[-1], *sides))  # none like another
    try:
        return _tried(session, pictures, clock)
    except EdgeRuntimeError:  # it says that it takes any batch, but it does not
        return ()


def _tried(session: Session, pictures: UInt8, clock: Clock) -> tuple[int, ...]:
    end = clock() + TRIAL_S
    session.run(pictures[:1])
    alone = _seconds(session, pictures[:1], end, clock)
    paying: list[int] = []
    for size in SIZES:
        if not _same(session, pictures[:size]) or clock() > end:
            break
        if _seconds(session, pictures[:size], end, clock) / size > PAYS * alone:
            break
        paying.append(size)
    return tuple(paying)


def _seconds(session: Session, batch: UInt8, end: float, clock: Clock) -> float:
    """The fastest of a few runs: noise only ever adds."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = clock()
        session.run(batch)
        best = min(best, clock() - start)
        if clock() > end:
            break
    return best


def _same(session: Session, batch: UInt8) -> bool:
    together = session.run(batch)
    for index in range(len(batch)):
        for name, value in session.run(batch[index : index + 1]).items():
            if not np.array_equal(together[name][index], value[0]):
                return False
    return True


def largest(sizes: Sequence[int], waiting: int) -> int:
    """The largest of `sizes` that `waiting` requests fill; 1 when there is none."""
    return max((size for size in sizes if size <= waiting), default=1)
