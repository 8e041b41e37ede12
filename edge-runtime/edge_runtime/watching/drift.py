"""Whether what a model sees or says is still distributed as where it was proven.

Pure. A figure's values are collected until they are worth ENOUGH independent pictures, or there are
MOST of them; then that window is compared with the release's sketch, and a new one begins.

The measure is the population stability index over the sketch's B bins, Σ (q − p) ln(q / p), half a
count added to each. Between two samples of one distribution it is no zero: PSI / (1/n + 1/m) is
about χ² with B − 1 degrees of freedom (Yurdakul 2018, Statistical properties of the population
stability index), so B − 1 of it is taken off, and a window drifts only above DRIFTS *and* above the
99.9th percentile of what chance gives. n and m are numbers of *independent* pictures: neighbours
in a video are not (`contract.sketching.independent`). 0.25 and 0.1 are the customary marks of a
large and of no change (Siddiqi 2006, Credit Risk Scorecards).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from edge_runtime.contract import SignalWatch, Sketch, Verdict
from edge_runtime.contract.sketching import count, independent

LOOK = 60  # pictures between two looks at whether a window is whole
ENOUGH = 30.0  # independent pictures
MOST = 600
LEAST = 12.0  # of both sides; below, nothing is said
WINDOWS = 2  # in a row that must agree before the verdict changes
DRIFTS, CALM = 0.25, 0.1


class Compared(NamedTuple):
    """A window's PSI without its bias, and what chance alone exceeds once in a thousand times."""

    psi: float
    chance: float


@dataclass(frozen=True)
class Figure:
    """One figure of a model against its sketch; `step` gives what is known after one more."""

    sketch: Sketch
    verdict: Verdict = "too few"
    found: Compared | None = None
    _values: tuple[float, ...] = ()
    _against: int = 0  # windows in a row that speak against the verdict

    def step(self, value: float) -> "Figure":
        """What is known after one more picture's figure."""
        values = (*self._values, value)
        if len(values) % LOOK:
            return replace(self, _values=values)
        worth = independent(np.asarray(values, np.float64))
        if worth < ENOUGH and len(values) < MOST:
            return replace(self, _values=values)
        return replace(self, _values=())._judge(values, worth)

    def _judge(self, values: tuple[float, ...], worth: float) -> "Figure":
        if min(worth, self.sketch.independent) < LEAST:
            return replace(self, verdict="too few", found=None, _against=0)
        counts = count(np.asarray(values, np.float64), self.sketch.edges)
        found = compare(self.sketch.counts, counts, (self.sketch.independent, worth))
        mark = CALM if self.verdict == "drifting" else DRIFTS
        verdict: Verdict = "drifting" if found.psi > max(mark, found.chance) else "ok"
        if self.verdict == "too few" and verdict == "ok":
            return replace(self, verdict="ok", found=found, _against=0)
        against = self._against + 1 if verdict != self.verdict else 0
        if against >= WINDOWS:
            return replace(self, verdict=verdict, found=found, _against=0)
        return replace(self, found=found, _against=against)

    def said(self) -> SignalWatch:
        """The verdict, and by what."""
        if self.found is None:
            return SignalWatch(self.verdict)
        mark = CALM if self.verdict == "drifting" else DRIFTS
        limit = max(mark, self.found.chance)
        return SignalWatch(self.verdict, round(self.found.psi, 4), round(limit, 4))


def compare(before: Sequence[int], now: Sequence[int], worth: tuple[float, float]) -> Compared:
    """Compare the counts of two samples in the same bins, each worth so many pictures."""
    a, b = np.asarray(before, np.float64), np.asarray(now, np.float64)
    used = a + b > 0
    if used.sum() < 2:
        return Compared(0.0, 0.0)
    p, q = ((x[used] + 0.5) / (x[used] + 0.5).sum() for x in (a, b))
    psi = float(np.sum((q - p) * np.log(q / p)))
    free = int(used.sum()) - 1
    scale = 1 / worth[0] + 1 / worth[1]
    return Compared(psi - free * scale, (_chi_square(free) - free) * scale)


def _chi_square(free: int) -> float:
    """The 99.9th percentile of χ² (Wilson and Hilferty 1931; within 2% from 1 degree on)."""
    third = 2 / (9 * free)
    return free * (1 - third + 3.0902 * math.sqrt(third)) ** 3
