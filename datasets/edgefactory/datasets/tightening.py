"""Teacher's boxes drawn tight, by what a fixed camera knows: its background.

A general detector's boxes are loose around small and crowded people. Where the camera stands
still, the pixels that differ from the scene's median picture show how far a person reaches, so
each box is shrunk to them. A moving camera, or a person who stands as still as the background,
leaves the boxes as they were: the first has its differences everywhere, the second has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgefactory.datasets.errors import InputError

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

PICTURES: Final = 54  # for the median; odd counts are not needed, enough that nobody stays
_DIFFERENCE: Final = 30  # grey levels, in the channel that differs most
_TAIL: Final = 0.01  # of the differing pixels may lie outside on each side: noise
_MOST: Final = 0.35  # of the width or height that one side may give way
_LEAST: Final = 0.2  # of the box must differ, or the background says nothing about it


def background(pictures: Sequence[Pixels]) -> Pixels:
    """The median picture of a still scene: uint8 [H,W,3], from pictures of that shape.

    Raises InputError when there are none, or when their sizes differ.
    """
    if not pictures or len({picture.shape for picture in pictures}) != 1:
        raise InputError(f"background: expected pictures of one size, found {len(pictures)}")
    return np.asarray(np.median(np.stack(pictures), axis=0), np.uint8)


def tightened(picture: Pixels, behind: Pixels, boxes: Floats) -> Floats:
    """The boxes [n,4] (xyxy, pixels) shrunk to what differs from the background `behind`."""
    gap = np.abs(picture.astype(np.int16) - behind.astype(np.int16)).max(axis=2)
    differs = gap > _DIFFERENCE
    return np.asarray([_tight(differs, box) for box in boxes], np.float32).reshape(-1, 4)


def _tight(differs: NDArray[np.bool_], box: Floats) -> Floats:
    height, width = differs.shape
    x0, y0, x1, y1 = (round(float(value)) for value in box)
    x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    inside = differs[y0:y1, x0:x1]
    if inside.size == 0 or inside.mean() < _LEAST:
        return box
    left, right = _extent(inside.sum(axis=0))
    top, bottom = _extent(inside.sum(axis=1))
    return np.asarray([x0 + left, y0 + top, x0 + right, y0 + bottom], np.float32)


def _extent(counts: NDArray[np.integer]) -> tuple[int, int]:
    """First and end of the range that holds all but the tails, within what may give way."""
    share = np.cumsum(counts) / counts.sum()
    most = int(len(counts) * _MOST)
    first = min(int(np.searchsorted(share, _TAIL)), most)
    end = max(int(np.searchsorted(share, 1 - _TAIL)) + 1, len(counts) - most)
    return first, end
