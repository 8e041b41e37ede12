"""Whether a score of 0.8 is right in 8 of 10 cases, and the temperature that mends it.

A confidence is the probability of the most probable class, or a detection's score as the
probability that its box is right at IoU 0.5 (Küppers et al. 2020, "Multivariate confidence
calibration for object detection"). The expected calibration error is that of Naeini et al. (2015),
the mean over bins of |confidence - share right| weighted by the bins' mass, over bins of equal mass
(Nguyen and O'Connor 2015; Nixon et al. 2019). It is above 0 by chance alone, the more so the fewer
there are; `chance` says how much, by consistency resampling (Bröcker and Smith 2007).

The temperature T divides logits: softmax(log p / T) for classes (Guo et al. 2017), and
sigmoid(logit(s) / T) for detections. It is fitted by likelihood.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from edgefactory.datasets.outcomes import ratio
from edgefactory.training.evaluation.document import Bin, Measure, Reliability
from edgefactory.training.evaluation.resampling import drawn, measure
from edgefactory.training.metrics import Booleans, Floats, Integers

MOST_BINS: Final = 15  # as Guo et al. have it
A_BIN: Final = 20  # confidences in a bin, at least
LEAST: Final = 2 * A_BIN  # confidences to speak of calibration at all
LOWEST_SCORE: Final = 0.05  # of detections: below lie those that nobody would act on
_DRAWS_OF_CHANCE: Final = 200
_COLDEST, _HOTTEST = 0.05, 20.0  # temperatures that are tried
_TINY: Final = 1e-12


@dataclass(frozen=True)
class Confidences:
    """How sure a model was [n], whether it was right [n], and in which of `pictures` [n]."""

    sure: Floats
    right: Booleans
    picture: Integers
    pictures: int

    def __len__(self) -> int:
        return len(self.sure)


def reliability(found: Confidences, draws: int, seed: int) -> Reliability:
    """ECE and the reliability curve. Pictures are drawn anew for the intervals, bins are kept.

    A draw adds noise of its own and so moves ECE up; the interval is the draws' spread about the
    value. Below `LEAST` confidences there is nothing to say, and the figure says so.
    """
    if len(found) < LEAST:
        return Reliability(Measure(len(found), why=f"{LEAST} decisions are needed"))
    weights = drawn(found.pictures, draws, seed)
    bins = _bins(found.sure)
    total = weights @ np.bincount(found.picture, minlength=found.pictures)
    gaps, curve = np.zeros(len(weights)), []
    for chosen in bins:
        mass, right, sure = (
            weights @ np.bincount(found.picture[chosen], value, found.pictures)
            for value in (None, found.right[chosen], found.sure[chosen])
        )
        gaps += np.abs(right - sure)
        units = len(np.unique(found.picture[chosen]))
        share = measure(ratio(right, mass, np.nan), len(chosen), units)
        curve.append(Bin(float(found.sure[chosen].mean()), share))
    ece = ratio(gaps, total, np.nan)
    centred = np.maximum(ece - np.nanmean(ece[1:]) + ece[0], 0.0)
    centred[0] = ece[0]
    return Reliability(
        measure(centred, len(found), found.pictures), _chance(found.sure, bins, seed), tuple(curve)
    )


def fit_classes(probabilities: Floats, targets: Integers) -> float:
    """The temperature under which the targets [n] are most likely, for probabilities [n,C]."""
    logits = np.log(np.maximum(probabilities, _TINY))
    rows = np.arange(len(targets))

    def loss(temperature: float) -> float:
        return -float(_log_softmax(logits / temperature)[rows, targets].mean())

    return _fitted(loss)


def warm_classes(probabilities: Floats, temperature: float) -> Floats:
    """The probabilities [n,C] at that temperature."""
    logits = np.log(np.maximum(probabilities, _TINY))
    return np.asarray(np.exp(_log_softmax(logits / temperature)), np.float64)


def fit_scores(found: Confidences) -> float:
    """The temperature under which what was right is most likely, for scores."""

    def loss(temperature: float) -> float:
        warm = np.clip(warm_scores(found.sure, temperature), _TINY, 1 - _TINY)
        return -float(np.where(found.right, np.log(warm), np.log1p(-warm)).mean())

    return _fitted(loss)


def warm_scores(scores: Floats, temperature: float) -> Floats:
    """The scores [n] at that temperature."""
    kept = np.clip(scores, _TINY, 1 - _TINY)
    logits = np.log(kept) - np.log1p(-kept)
    return np.asarray(1 / (1 + np.exp(-logits / temperature)), np.float64)


def _fitted(loss: Callable[[float], float]) -> float:
    from scipy.optimize import minimize_scalar

    ends = (float(np.log(_COLDEST)), float(np.log(_HOTTEST)))
    found = minimize_scalar(lambda power: loss(float(np.exp(power))), bounds=ends, method="bounded")
    return float(np.exp(found.x))


def _bins(sure: Floats) -> list[Integers]:
    """Places of the confidences in bins of equal mass, rising."""
    count = min(MOST_BINS, max(1, len(sure) // A_BIN))
    return list(np.array_split(np.argsort(sure, kind="stable"), count))


def _chance(sure: Floats, bins: list[Integers], seed: int) -> float:
    """The mean ECE of a model that is right exactly as often as it says."""
    generator = np.random.default_rng(seed)
    gap = 0.0
    for one in bins:
        right = generator.random((_DRAWS_OF_CHANCE, len(one))) < sure[one]
        gap += float(np.abs((right - sure[one]).sum(axis=1)).mean())
    return gap / len(sure)


def _log_softmax(logits: Floats) -> Floats:
    from scipy.special import log_softmax

    return np.asarray(log_softmax(logits, axis=1), np.float64)
