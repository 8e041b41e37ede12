"""Boxes of several classes: suppression and other forms of writing them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgefactory.datasets.teacher import suppress
from edgefactory.datasets.teachers.found import Floats, Ints


def suppress_by_class(boxes: Floats, scores: Floats, classes: Ints, iou: float) -> NDArray[np.intp]:
    """Non-maximum suppression within each class: indices of the boxes [n,4] that stay."""
    kept: list[NDArray[np.intp]] = [np.zeros(0, np.intp)]
    for kind in np.unique(classes):
        index = np.flatnonzero(classes == kind)
        kept.append(index[suppress(boxes[index], scores[index], iou)])
    return np.concatenate(kept)


def from_centres(boxes: Floats) -> Floats:
    """Boxes [n,4] of centre, width, height as xyxy."""
    half = boxes[:, 2:] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)
