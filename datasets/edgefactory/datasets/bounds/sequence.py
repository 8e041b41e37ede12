"""The lowest threshold whose accepted labels can be vouched for.

Learn then Test (Angelopoulos, Bates, Candès, Jordan, Lei 2021): each threshold is a hypothesis,
"too many of the labels from here on are wrong", and what is rejected may be accepted. They are
tested in a fixed sequence, from a starting threshold down, each with the same part of the error
that the confidence leaves; the first that is not rejected ends it. The rest of the error is kept
for the last, that all labels may be accepted, and is added to what the sequence brings if it comes
so far. This is the fallback procedure (Wiens 2003): the probability that any true hypothesis is
rejected is at most the whole error, for any dependence between the tests and however many there
are (Wiens and Dmitrienko 2005).

What is vouched for are the labels that nobody has looked at, so the hypotheses must speak of the
whole pool and yet leave room for what has been reviewed: `allowed` is max_error times the labels
that are left when reviewed pictures hold their typical share and somewhat more. When no more than
`allowed` of all labels are wrong, and those found wrong are taken off, what remains is compared
with max_error exactly. The hypotheses and the start depend on the pool's scores and on the numbers
of drawn and reviewed pictures only: they are fixed before anybody says what is in a picture.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgefactory.datasets.bounds.ladder import Ladder
from edgefactory.datasets.bounds.tails import Pool, p_values

Floats = NDArray[np.float64]

_MARGIN: Final = 2.0  # standard deviations that reviewed pictures' labels may be off the typical
_LAST: Final = 0.2  # of the error, for accepting all: where scores tell little, that is the best
_START: Final = 1 / 3  # of the way, in logarithms, from the fewest labels that could pass to all


def lowest(counts: Ladder, max_error: float, error: float) -> int | None:
    """The index of the lowest threshold that may be used, or None.

    `error` is the probability, over the draw of the sample, with which the answer may be wrong:
    more than `max_error` of the labels from that threshold on in unreviewed pictures are.
    """
    pool = hypotheses(counts, max_error)
    first = start(counts, pool, error)
    passed = rejected(p_values(pool, counts.sample_labels, counts.sample_wrong), first, error)
    left = counts.labels - counts.reviewed_labels
    kept = (pool.allowed - counts.reviewed_wrong <= max_error * left) & (left > 0)
    found = np.flatnonzero(passed & kept)
    return int(found[-1]) if found.size else None


def rejected(p: Floats, first: int, error: float) -> NDArray[np.bool_]:
    """Which hypotheses [T] with p-values `p` are rejected, from `first` on; `error` in all."""
    part = (1 - _LAST) * error
    done = np.zeros(len(p), np.bool_)
    done[first:] = np.logical_and.accumulate(p[first:] <= part)
    reached = first == len(p) - 1 or done[-2]
    done[-1] = p[-1] <= (error if reached else _LAST * error)
    return done


def hypotheses(counts: Ladder, max_error: float) -> Pool:
    """How many wrong labels each threshold's hypothesis allows in the whole pool."""
    typical = np.minimum(_typical(counts, counts.room, _MARGIN), counts.labels)
    allowed = np.floor(max_error * (counts.labels - typical)).astype(np.int64)
    return Pool(counts.pictures, counts.labels, counts.most, allowed)


def start(counts: Ladder, pool: Pool, error: float) -> int:
    """Where the tests begin: further down than the strictest threshold that could pass.

    That one has so few labels in the sample that a single wrong one would end the sequence. Where
    not even a sample without a wrong label would pass for sure, only the last is tested.
    """
    sample = len(counts.sample_labels)
    few = np.maximum(_typical(counts, sample, -_MARGIN), 0.0) / max(1, sample)
    rows = np.tile(few, (sample, 1))
    able = np.flatnonzero(p_values(pool, rows, np.zeros_like(rows)) <= (1 - _LAST) * error)
    if not able.size:
        return len(counts.labels) - 1
    labels = counts.labels[able[0]] ** (1 - _START) * counts.labels[-1] ** _START
    return int(np.searchsorted(counts.labels, labels - 0.5))


def _typical(counts: Ladder, pictures: int, margin: float) -> Floats:
    """The labels [T] that so many random pictures hold, `margin` standard deviations above."""
    share = pictures / counts.pictures
    noise: Floats = np.sqrt(pictures * (1 - share)) * counts.spread
    return share * counts.labels + margin * noise
