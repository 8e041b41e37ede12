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

Figures that are distributed as before one by one may go together otherwise (`contract.together`).
There the measure is the sum of squared changes of 21 correlations, less what chance gives on
average, held against the same marks: one that changes by half is 0.25.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from edge_runtime.contract import SignalWatch, Sketch, Together, Verdict
from edge_runtime.contract.sketching import Float64, count, independent
from edge_runtime.contract.together import mean_products, ranks_of, worth_of

LOOK = 60  # pictures between two looks at whether a window is whole
ENOUGH = 30.0  # independent pictures
ENOUGH_TOGETHER = 60.0  # the same for figures taken together: 21 numbers instead of one
MOST = 600
LEAST = 12.0  # of both sides; below, nothing is said
WINDOWS = 2  # in a row that must agree before the verdict changes
DRIFTS, CALM = 0.25, 0.1


class Compared(NamedTuple):
    """A window's distance without its bias, and what chance alone exceeds once in a thousand."""

    distance: float
    chance: float


@dataclass(frozen=True)
class Belief:
    """What windows have led to; `after` gives what is believed after one more."""

    verdict: Verdict = "too few"
    found: Compared | None = None
    _against: int = 0  # windows in a row that speak against the verdict

    def after(self, found: Compared | None) -> "Belief":
        """What is believed after a window; None: one that says nothing."""
        if found is None:
            return Belief()
        mark = CALM if self.verdict == "drifting" else DRIFTS
        verdict: Verdict = "drifting" if found.distance > max(mark, found.chance) else "ok"
        if self.verdict == "too few" and verdict == "ok":
            return Belief("ok", found)
        against = self._against + 1 if verdict != self.verdict else 0
        if against >= WINDOWS:
            return Belief(verdict, found)
        return replace(self, found=found, _against=against)

    def said(self) -> SignalWatch:
        """The verdict, and by what."""
        if self.found is None:
            return SignalWatch(self.verdict)
        mark = CALM if self.verdict == "drifting" else DRIFTS
        limit = max(mark, self.found.chance)
        return SignalWatch(self.verdict, round(self.found.distance, 4), round(limit, 4))


@dataclass(frozen=True)
class Figure:
    """One figure of a model against its sketch; `step` gives what is known after one more."""

    sketch: Sketch
    belief: Belief = Belief()
    _values: tuple[float, ...] = ()

    def step(self, value: float) -> "Figure":
        """What is known after one more picture's figure."""
        values = (*self._values, value)
        if len(values) % LOOK:
            return replace(self, _values=values)
        worth = independent(np.asarray(values, np.float64))
        if worth < ENOUGH and len(values) < MOST:
            return replace(self, _values=values)
        return Figure(self.sketch, self.belief.after(self._compared(values, worth)))

    def _compared(self, values: tuple[float, ...], worth: float) -> Compared | None:
        if min(worth, self.sketch.independent) < LEAST:
            return None
        counts = count(np.asarray(values, np.float64), self.sketch.edges)
        return compare(self.sketch.counts, counts, (self.sketch.independent, worth))


@dataclass(frozen=True)
class Joint:
    """How a model's figures go together, against how they did; `step` as that of a `Figure`.

    `sketches` are those of the figures, in the order of `contract.together.FIGURES`.
    """

    together: Together
    sketches: tuple[Sketch, ...]
    belief: Belief = Belief()
    _ranks: tuple[tuple[float, ...], ...] = ()

    def step(self, values: Mapping[str, float]) -> "Joint":
        """What is known after one more picture's figures."""
        ranks = (*self._ranks, ranks_of(values, self.sketches))
        if len(ranks) % LOOK:
            return replace(self, _ranks=ranks)
        window = np.asarray(ranks, np.float64)
        worth = worth_of(window)
        if worth < ENOUGH_TOGETHER and len(ranks) < MOST:
            return replace(self, _ranks=ranks)
        little = min(worth, self.together.independent) < LEAST
        found = None if little else compare_jointly(self.together, window, worth)
        return Joint(self.together, self.sketches, self.belief.after(found))


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


def compare_jointly(before: Together, ranks: Float64, worth: float) -> Compared:
    """Compare how figures went together `before` with a window of `ranks` [N,7], worth so many
    pictures.

    Of two samples of one distribution the squared distance is about Σ λ χ²(1) times
    (1/n + 1/m), λ being the eigenvalues of the products' covariance: a χ² of the same mean,
    variance and skewness (Pearson 1959, Biometrika 46, 364).
    """
    scale = 1 / worth + 1 / before.independent
    distance = float(np.sum((mean_products(ranks) - before.means) ** 2))
    free = before.degrees
    chance = before.spread * (_chi_square(free) - free) / math.sqrt(2 * free)
    return Compared(distance - before.trace * scale, chance * scale)


def _chi_square(free: float) -> float:
    """The 99.9th percentile of χ² (Wilson and Hilferty 1931; within 2% from 1 degree on)."""
    third = 2 / (9 * free)
    return free * (1 - third + 3.0902 * math.sqrt(third)) ** 3
