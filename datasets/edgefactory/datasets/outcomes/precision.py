"""COCO's AP and AR under weights of the pictures: matched once, then only reweighted.

With weights of 1 the values are those of COCO's reference code, which a test holds them to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from edgefactory.datasets.outcomes.matched import (
    IOUS,
    Booleans,
    Floats,
    Integers,
    Matched,
    ratio,
)

RECALLS: Final = np.linspace(0.0, 1.0, 101, dtype=np.float64)
_CELLS: Final = 2_000_000  # of hits x weights that are in memory at once


def precisions(classes: Sequence[Matched], weights: Floats) -> Floats:
    """AP [10,K,B] at each IoU threshold of `IOUS`, of K classes, for weights [B,P].

    NaN where no box to be found was drawn.
    """
    table = np.full((len(IOUS), len(classes), len(weights)), np.nan)
    for number, one in enumerate(classes):
        for threshold in range(len(IOUS)):
            table[threshold, number] = average_precision(one, threshold, weights)
    return table


def mean_precision(table: Floats) -> Floats:
    """AP [B] of a part of what `precisions` gives [T,K,B]; what is not known is left out."""
    return _mean(table.reshape(-1, table.shape[-1]))


def mean_recall(classes: Sequence[Matched], weights: Floats, most: int) -> Floats:
    """AR [B] over `classes` and all IoU thresholds, with `most` detections a class and picture."""
    found = []
    for one in classes:
        wanted = weights @ one.wanted
        for hits in one.hits & (one.rank < most):
            per_picture = np.bincount(one.picture[hits], minlength=weights.shape[1])
            found.append(ratio(weights @ per_picture, wanted, np.nan))
    return _mean(np.asarray(found).reshape(-1, len(weights)))


def average_precision(one: Matched, threshold: int, weights: Floats) -> Floats:
    """AP [B] of one class at one IoU threshold for weights [B,P]; NaN where nothing is wanted."""
    hits, _, picture = one.at(threshold)
    wanted = weights @ one.wanted
    last = int(np.flatnonzero(hits).max(initial=-1)) + 1  # what follows the last hit adds nothing
    if not last:
        return np.where(wanted > 0, 0.0, np.nan)
    parts = [
        _envelope_area(hits[:last], picture[:last], weights[part], wanted[part])
        for part in _parts(len(weights), int(hits.sum()))
    ]
    return np.where(wanted > 0, np.concatenate(parts), np.nan)


def _envelope_area(hits: Booleans, picture: Integers, weights: Floats, wanted: Floats) -> Floats:
    """The mean of the precision envelope at 101 recalls.

    Only at a hit does recall or the envelope change, so the list is summed up from hit to hit.
    """
    from scipy.sparse import csr_array

    count = int(hits.sum())
    step: Integers = np.cumsum(hits) - hits  # the hits before it
    steps = csr_array((np.ones(len(hits)), (step, picture)), shape=(count, weights.shape[1]))
    seen = np.cumsum(steps @ weights.T, axis=0)  # [hits,B]
    right = np.cumsum(weights.T[picture[hits]], axis=0)
    precision = right / (seen + np.spacing(1))
    envelope = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    recall = ratio(right, np.broadcast_to(wanted, right.shape), 0.0)
    reached = np.searchsorted(RECALLS, recall, side="right")
    gained = np.diff(reached, axis=0, prepend=0)
    area: Floats = (gained * envelope).sum(axis=0) / len(RECALLS)
    return area


def _parts(rows: int, columns: int) -> Iterator[slice]:
    size = max(1, _CELLS // columns)
    return (slice(start, start + size) for start in range(0, rows, size))


def _mean(table: Floats) -> Floats:
    """The mean over rows of what is known, by place; NaN where nothing is."""
    known = ~np.isnan(table)
    return ratio(np.where(known, table, 0.0).sum(axis=0), known.sum(axis=0), np.nan)
