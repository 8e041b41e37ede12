"""The score from which a detection counts: where F1 is best, cost is least, or precision suffices.

Chosen on one split, to be judged on another. All at IoU 0.5, over the classes together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from edge_runtime.contract import OperatingPoint
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.outcomes import IOUS, Matched, ratio
from edgefactory.training.evaluation.document import Measure
from edgefactory.training.evaluation.matching import classes_in, match
from edgefactory.training.evaluation.resampling import drawn, measure
from edgefactory.training.metrics import Booleans, Detections, Floats, Integers, Truth

DEFAULT: Final = 0.3  # where there is nothing to choose by
_DIGITS: Final = range(4, 17)


@dataclass(frozen=True)
class Costs:
    """What a missed object and a false alarm cost; only their ratio decides a threshold."""

    fn: float = 1.0
    fp: float = 1.0


def parse_costs(text: str) -> Costs:
    """The costs in "fn=5,fp=1". Raises InputError that names an unknown key or a wrong value."""
    found: dict[str, float] = {}
    for part in text.split(","):
        key, _, value = (word.strip() for word in part.partition("="))
        if key not in ("fn", "fp") or key in found:
            raise InputError(f"--cost {text!r}: found {key!r}; expected fn and fp, as fn=5,fp=1")
        try:
            found[key] = float(value)
        except ValueError:
            found[key] = -1.0
        if not 0 <= found[key] < np.inf:
            raise InputError(f"--cost {text!r}: {key} is {value!r}; expected a number from 0 up")
    if not any(found.values()):
        raise InputError(f"--cost {text!r}: expected at least one cost above 0")
    return Costs(found.get("fn", 0.0), found.get("fp", 0.0))


@dataclass(frozen=True)
class Trade:
    """All detections by falling score, which of them are right, and the `wanted` boxes [P]."""

    scores: Floats  # [D]
    hits: Booleans  # [D]
    picture: Integers  # [D]
    wanted: Integers  # [P]

    @property
    def pictures(self) -> int:
        """How many there are."""
        return len(self.wanted)

    def counted(self, threshold: float) -> tuple[Integers, Integers, Integers]:
        """Hits, false alarms and misses in each picture [P] from the score `threshold` up."""
        kept = self.scores >= threshold
        hits = np.bincount(self.picture[kept & self.hits], minlength=self.pictures)
        alarms = np.bincount(self.picture[kept & ~self.hits], minlength=self.pictures)
        return hits, alarms, self.wanted - hits


def trade_of(classes: Sequence[Matched]) -> Trade:
    """All classes at IoU 0.5 as one list."""
    parts = [one.at(0) for one in classes]
    hits, scores, picture = (np.concatenate([part[i] for part in parts]) for i in range(3))
    order = np.argsort(-scores, kind="stable")
    wanted = np.sum([one.wanted for one in classes], axis=0)
    return Trade(scores[order], hits[order], picture[order], wanted)


@dataclass(frozen=True)
class Thresholds:
    """The distinguishable thresholds, falling, with what each leaves: hits and false alarms."""

    values: Floats
    hits: Integers
    alarms: Integers

    @classmethod
    def of(cls, trade: Trade) -> Thresholds:
        """Halfway between neighbouring scores; the first one lets nothing pass."""
        last = np.flatnonzero(np.append(np.diff(trade.scores) < 0, len(trade.scores) > 0))
        scores = np.concatenate([[1.0], trade.scores[last], [0.0]])
        middle = [between(low, high) for high, low in pairwise(scores)]
        total = np.cumsum(np.append(0, trade.hits))
        passed = np.append(0, last + 1)
        first = int(scores[1] >= 1.0)  # no threshold keeps out a score of 1
        hits = total[passed]
        return cls(np.asarray(middle)[first:], hits[first:], (passed - hits)[first:])


def between(low: float, high: float) -> float:
    """The middle of two scores in as few digits as still lie above `low` and not above `high`."""
    middle = (low + high) / 2
    for digits in _DIGITS:
        short = round(float(middle), digits)
        if low < short <= high:
            return short
    return float(high)


@dataclass(frozen=True)
class Shown:
    """The answers to choose by, and what is true, in the pictures of a split."""

    split: str
    answers: Sequence[Detections]
    truths: Sequence[Truth]

    def trade(self) -> Trade | None:
        """All detections; None where there is no box to find."""
        if not classes_in(self.truths):
            return None
        said = {int(label) for answer in self.answers for label in answer.labels}
        classes = sorted(said.union(classes_in(self.truths)))
        return trade_of([match(self.answers, self.truths, c, ious=IOUS[:1]) for c in classes])

    def required(self) -> Trade:
        """All detections. Raises InputError where there is no box to find."""
        trade = self.trade()
        if trade is None:
            raise InputError(
                f"the split {self.split} holds no box to find, so no threshold can be chosen by it"
            )
        return trade

    def __str__(self) -> str:
        return f"{len(self.truths)} pictures of the split {self.split}"


def best_f1(shown: Shown) -> OperatingPoint:
    """Where F1 is best; the highest of such thresholds."""
    trade = shown.trade()
    if trade is None or not len(trade.scores):
        return OperatingPoint(DEFAULT, f"a default: the split {shown.split} shows nothing to find")
    tried = Thresholds.of(trade)
    f1 = 2 * tried.hits / (tried.hits + tried.alarms + trade.wanted.sum())
    best = int(f1.argmax())
    return OperatingPoint(float(tried.values[best]), f"best F1 ({f1[best]:.3f}) on {shown}")


def cheapest(shown: Shown, costs: Costs) -> OperatingPoint:
    """Where the cost a picture is least; the highest of such thresholds."""
    trade = shown.required()
    tried = Thresholds.of(trade)
    missed = int(trade.wanted.sum()) - tried.hits
    cost = (costs.fn * missed + costs.fp * tried.alarms) / trade.pictures
    best = int(cost.argmin())
    says = f"least cost at fn={costs.fn:g}, fp={costs.fp:g} ({cost[best]:.3g} a picture)"
    return OperatingPoint(float(tried.values[best]), f"{says} on {shown}")


def precise(shown: Shown, target: float, draws: int, seed: int) -> OperatingPoint:
    """The lowest threshold whose precision is at least `target`.

    Raises InputError where no threshold reaches it.
    """
    trade = shown.required()
    tried = Thresholds.of(trade)
    passed = (tried.hits + tried.alarms).astype(np.float64)
    precision = ratio(tried.hits.astype(np.float64), passed, 0.0)
    reached = np.flatnonzero(precision >= target)
    best = int(reached.max() if len(reached) else precision.argmax())
    threshold, value = float(tried.values[best]), precision[best]
    if value < target:
        raise InputError(
            f"no threshold reaches the precision {target:g} on {shown}: the best is {value:.3f}, "
            f"from the score {threshold:.4g} up; ask for less, or train a better model"
        )
    found = _precision(trade, threshold, draws, seed)
    low = f", 95% interval from {found.interval[0]:.3f}" if found.interval else ""
    says = f"lowest threshold of precision {target:g} ({value:.3f}{low})"
    return OperatingPoint(threshold, f"{says} on {shown}")


def _precision(trade: Trade, threshold: float, draws: int, seed: int) -> Measure:
    weights = drawn(trade.pictures, draws, seed)
    hits, alarms, _ = trade.counted(threshold)
    found = ratio(weights @ hits, weights @ (hits + alarms), np.nan)
    return measure(found, int((hits + alarms).sum()), trade.pictures)
