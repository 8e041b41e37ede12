"""How many more pictures have to be checked before anything can be accepted."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgefactory.datasets.bounds.ladder import Ladder
from edgefactory.datasets.bounds.sequence import lowest

Floats = NDArray[np.float64]

_MOST: Final = 2**14  # more than this nobody checks


def pictures_needed(
    counts: Ladder, max_error: float, error: float
) -> tuple[int | None, int | None]:
    """How many more pictures to check: were none of their labels wrong, and at the errors so far.

    Both suppose that the pictures to come hold as many labels as the pool's do on average. None:
    all of the pool, or 16384 pictures, would not be enough; the second also before anything has
    been checked.
    """
    seen = counts.sample_labels.sum(axis=0)
    rate = counts.sample_wrong.sum(axis=0) / np.maximum(seen, 1)
    best = _fewest(counts, np.zeros_like(rate), max_error, error)
    if best is None or not seen.any():
        return best, None
    return best, _fewest(counts, rate, max_error, error)


def _fewest(counts: Ladder, rate: Floats, max_error: float, error: float) -> int | None:
    """The fewest pictures to add with wrong labels at `rate` [T], by doubling, then halving."""

    def enough(more: int) -> bool:
        return lowest(_grown(counts, more, rate), max_error, error) is not None

    most = min(counts.pictures - counts.room - 1, _MOST)
    low, high = 0, 1
    while high <= most and not enough(high):
        low, high = high, 2 * high
    if high > most:
        if most <= low or not enough(most):
            return None
        high = most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _grown(counts: Ladder, more: int, rate: Floats) -> Ladder:
    """The counts after `more` typical pictures with labels that are wrong at `rate` [T]."""
    rows = np.tile(counts.labels / counts.pictures, (more, 1))
    labels, wrong = rows.sum(axis=0), (rows * rate).sum(axis=0)
    return Ladder(
        counts.thresholds,
        counts.pictures,
        counts.room + more,
        counts.labels,
        counts.most,
        counts.spread,
        np.vstack([counts.sample_labels, rows]),
        np.vstack([counts.sample_wrong, rows * rate]),
        counts.reviewed_labels + np.rint(labels).astype(np.int64),
        counts.reviewed_wrong + np.floor(wrong).astype(np.int64),
    )
