"""The range of each feature in the training data, not led astray by a few wild values."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_MOST: Final = 2**24  # values that are kept at a time: 64 MiB
_TAIL: Final = 0.5  # percent of a feature's values on either side that may lie outside
_MARGIN: Final = 0.1  # of the range, added on either side


class Ranges:
    """Gathers rows of features, then says their ranges.

    From the 0.5th to the 99.5th percentile of a feature's values, a tenth wider on both sides, so
    that new data seldom reach the ends. Of very many rows every second, fourth, ... counts.
    """

    def __init__(self) -> None:
        self._kept: list[NDArray[np.float32]] = []
        self._every, self._seen, self._size = 1, 0, 0

    def add(self, values: NDArray[np.float32]) -> None:
        """Rows [T,F] more."""
        rows = values[-self._seen % self._every :: self._every]
        self._kept.append(rows)
        self._seen += len(values)
        self._size += rows.size
        while self._size > _MOST:
            thinned = np.concatenate(self._kept)[::2].copy()
            self._kept, self._size = [thinned], thinned.size
            self._every *= 2

    def result(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        """Low and high of each feature, and which of them never changed.

        A feature that seldom changes has the range of all its values; one that never does lies in
        the middle of a range of its own size.
        """
        rows = np.concatenate(self._kept).astype(np.float64)
        least, most = rows.min(axis=0), rows.max(axis=0)
        low, high = np.percentile(rows, [_TAIL, 100 - _TAIL], axis=0)
        seldom = low == high
        low, high = np.where(seldom, least, low), np.where(seldom, most, high)
        constant = low == high
        margin = np.where(constant, 0.5 * np.maximum(1, np.abs(low)), _MARGIN * (high - low))
        return low - margin, high + margin, constant
