"""How long things take, measured so that what else the machine does distorts no comparison."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from edge_runtime.bench.clocks import timed as time_call

Floats = npt.NDArray[np.float64]
K = TypeVar("K")


@dataclass(frozen=True)
class Timed:
    """Something to be timed: in each round every call is made, `repeats` times over."""

    calls: tuple[Callable[[], object], ...]
    repeats: int = 1


@dataclass(frozen=True)
class Samples:
    """Milliseconds of each call: on the clock, and of processor time over all threads."""

    wall: Floats
    cpu: Floats


def interleave(
    subjects: Mapping[K, Timed], rounds: int, seen: Callable[[int], None]
) -> dict[K, Samples]:
    """The times of each subject's calls, in `rounds` over all subjects one after the other.

    Every call is made once before, to be warm. `seen` is told how many rounds are done.
    """
    samples: dict[K, list[tuple[int, int]]] = {key: [] for key in subjects}
    for number in range(rounds + 1):
        for key, timed in subjects.items():
            for _ in range(timed.repeats if number else 1):
                for call in timed.calls:
                    taken = time_call(call)
                    if number:
                        samples[key].append(taken)
        seen(number)
    return {
        key: Samples(*(np.asarray(column) / 1e6 for column in zip(*values, strict=True)))
        for key, values in samples.items()
    }


def ratio(slow: Floats, fast: Floats, seed: int, n: int = 1000) -> tuple[float, float, float]:
    """median(slow) / median(fast) and its 95% bootstrap interval (lo, hi)."""
    rng = np.random.default_rng(seed)
    drawn = [np.median(rng.choice(s, (n, len(s))), axis=1) for s in (slow, fast)]
    low, high = np.percentile(drawn[0] / drawn[1], [2.5, 97.5])
    return float(np.median(slow) / np.median(fast)), float(low), float(high)
