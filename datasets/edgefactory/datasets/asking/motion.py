"""What moves in front of a camera that stands still, and is in no box."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgefactory.datasets.documents import Item

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

SIDE: Final = 64  # of the small picture in which motion is looked for
_APART: Final = 0.4  # seconds between frames that are compared, at least
_LEVELS: Final = 12  # grey levels by which a moving pixel differs from the frames around it
_CAMERA: Final = 0.3  # of the picture: where so much moves, it is the camera or the light
_NEIGHBOURS: Final = 4  # of a pixel's 3x3 that must move too, or it is noise


def small(pixels: Pixels) -> Pixels:
    """A picture, uint8 [H,W,3], as grey levels [64,64]."""
    grey = Image.fromarray(pixels).convert("L")
    return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BOX))


def triples(times: Sequence[float]) -> Iterator[tuple[int, int, int]]:
    """Of frames at `times` in seconds, in order: each frame with the nearest before and after it
    that are far enough in time for a walker to have moved by his own width."""
    for now, time in enumerate(times):
        before = bisect_right(times, time - _APART) - 1
        after = bisect_left(times, time + _APART)
        if before >= 0 and after < len(times):
            yield before, now, after


def moving(before: Pixels, now: Pixels, after: Pixels) -> Mask:
    """The pixels [64,64] that are different in `now` from both `before` and `after`.

    Differencing three frames (Collins 2000, VSAM) finds where an object is, and not where it
    was. Each frame's median grey level is taken off, so that light that changes everywhere is no
    motion.
    """
    levels = [frame.astype(np.float32) - np.median(frame) for frame in (before, now, after)]
    differs = np.minimum(np.abs(levels[1] - levels[0]), np.abs(levels[1] - levels[2])) > _LEVELS
    around = np.pad(differs, 1).astype(np.int64)
    rows = around[:-2] + around[1:-1] + around[2:]
    near = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    found: Mask = differs & (near >= _NEIGHBOURS)
    return found if found.mean() <= _CAMERA else np.zeros_like(found)


def unexplained(found: Mask, item: Item, typical: float) -> float:
    """How much moves outside of the item's boxes, against an object of `typical` pixels of the
    small picture: 0 for nothing, 1 from one object's worth on."""
    left = found.copy()
    for label in item.labels:
        if label.box is not None and label.state != "rejected":
            x0, y0, x1, y1 = label.box
            columns = slice(*_span(x0, x1, item.width))
            left[slice(*_span(y0, y1, item.height)), columns] = False
    return min(1.0, float(left.sum()) / typical)


def _span(low: float, high: float, length: int) -> tuple[int, int]:
    """From pixels of the picture to those of the small one, and one more on each side."""
    return max(0, int(low * SIDE / length) - 1), int(high * SIDE / length) + 2


def typical_size(items: Iterable[Item]) -> float:
    """The median area of a box, in pixels of the small picture; at least 4, and 12 if none."""
    areas = [
        (x1 - x0) * (y1 - y0) * SIDE * SIDE / (item.width * item.height)
        for item in items
        for x0, y0, x1, y1 in (label.box for label in item.labels if label.box is not None)
    ]
    return max(4.0, float(np.median(areas))) if areas else 12.0
