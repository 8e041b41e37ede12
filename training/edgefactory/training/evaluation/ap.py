"""AP at one IoU as a single figure, with its bootstrap, and in pairs: COCO's, as everywhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgefactory.datasets.errors import InputError
from edgefactory.datasets.outcomes import Matched, average_precision, mean_precision
from edgefactory.training.evaluation.matching import classes_in, match
from edgefactory.training.metrics import (
    Detections,
    Difference,
    Floats,
    Interval,
    Truth,
    interval,
    resampled,
)


def ap50(
    predictions: Sequence[Detections], truths: Sequence[Truth], threshold: float = 0.5
) -> float:
    """Mean over classes of the average precision at IoU `threshold`, in 0..1.

    Picture i of `predictions` is picture i of `truths`. Raises InputError if their numbers differ
    or the truth holds no box to find.
    """
    value = float(_aps(_match(predictions, truths, threshold), np.ones((1, len(truths))))[0])
    if np.isnan(value):
        raise InputError("the truth holds no box to find; AP50 needs at least one")
    return value


def ap50_bootstrap(
    predictions: Sequence[Detections],
    truths: Sequence[Truth],
    n: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """The percentile interval of AP50 when pictures are drawn anew, `n` times."""
    weights = resampled(len(truths), n, seed)
    return interval(_aps(_match(predictions, truths, 0.5), weights), level)


def ap50_difference(
    a: Sequence[Detections],
    b: Sequence[Detections],
    truths: Sequence[Truth],
    n: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Difference:
    """AP50(a) - AP50(b) on the same pictures; the bootstrap draws each picture for both."""
    weights = resampled(len(truths), n, seed)
    drawn = _aps(_match(a, truths, 0.5), weights) - _aps(_match(b, truths, 0.5), weights)
    bounds = interval(drawn, level)
    return Difference(ap50(a, truths) - ap50(b, truths), bounds.lo, bounds.hi)


def _match(
    predictions: Sequence[Detections], truths: Sequence[Truth], threshold: float
) -> list[Matched]:
    if len(predictions) != len(truths):
        raise InputError(
            f"found predictions for {len(predictions)} pictures and truth for {len(truths)}; "
            "they must be the same pictures in the same order"
        )
    ious = np.array([threshold])
    return [match(predictions, truths, label, ious=ious) for label in classes_in(truths)]


def _aps(matched: Sequence[Matched], weights: Floats) -> Floats:
    """Mean AP for each row of picture weights [n,pictures]; NaN where no truth box was drawn."""
    if not matched:
        return np.full(len(weights), np.nan)
    return mean_precision(np.stack([average_precision(one, 0, weights) for one in matched])[None])
