"""Which labels are probably wrong, given what a model that has not seen them says.

Confident learning (Northcutt, Jiang and Chuang 2021): a sample belongs confidently to the class
that the model gives at least the probability which is usual for that class's own samples (their
mean). Counting given against confident classes estimates what share of each class's labels is
wrong (their calibrated joint); as many are taken, those with the largest margin first (their
pruning by class), of the samples that the model would give another class.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class LabelError(NamedTuple):
    """A sample whose label is doubted, the class that it should have, and the margin 0..1."""

    sample: int
    expected: int
    margin: float


def find_label_errors(probabilities: Floats, labels: Ints) -> list[LabelError]:
    """The likely errors among `labels` [n] by `probabilities` [n,C], the surest first.

    A label of -1 is one that is not judged.
    """
    confident, likely = confident_class(probabilities, labels), probabilities.argmax(axis=1)
    errors = []
    for given in range(probabilities.shape[1]):
        own = np.flatnonzero(labels == given)
        counted = confident[own][confident[own] >= 0]
        if not counted.size:
            continue
        expected = round(float((counted != given).mean()) * len(own))
        other = own[likely[own] != given]
        margin = probabilities[other, likely[other]] - probabilities[other, given]
        for place in np.argsort(-margin, kind="stable")[:expected].tolist():
            sample = int(other[place])
            errors.append(LabelError(sample, int(likely[sample]), min(float(margin[place]), 1.0)))
    return sorted(errors, key=lambda error: (-error.margin, error.sample))


def confident_class(probabilities: Floats, labels: Ints) -> Ints:
    """The class [n] that each sample confidently belongs to; -1 where there is none."""
    count = probabilities.shape[1]
    limits = np.full(count, np.inf, np.float32)
    for each in range(count):
        own = probabilities[labels == each, each]
        if own.size:
            limits[each] = own.mean()
    above = np.where(probabilities >= limits, probabilities, -1.0)
    best = above.argmax(axis=1)
    return np.where(above.max(axis=1) >= 0, best, -1).astype(np.int64)
