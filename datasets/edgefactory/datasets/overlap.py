"""How much a box overlaps with others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_runtime.contract import iou_matrix
from edgefactory.datasets.documents import Box


def largest_iou(box: Box, others: Sequence[Box]) -> float:
    """The largest intersection over union, 0..1, of `box` with one of `others`; 0 without any."""
    if not others:
        return 0.0
    overlap = iou_matrix(np.asarray([box], np.float32), np.asarray(others, np.float32))
    return float(overlap.max())
