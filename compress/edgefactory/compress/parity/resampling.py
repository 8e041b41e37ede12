"""Ways in which the world shrinks pictures: what a wrong resize is recognised by.

Each takes a picture uint8 [H,W,3] to `size` (width, height). They differ in the filter, in whether
it widens when a picture shrinks (antialiasing), and in the grid: where the middle of the first
output pixel lies in the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

UInt8 = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Size = tuple[int, int]
Grid = Literal["half-pixel", "asymmetric", "corners"]

_FILTERS: Final = {
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_HALF: Final = 0.5


class Way(NamedTuple):
    """A way to shrink: its name for people, whether only its grid is off, and itself."""

    name: str
    moved: bool
    resize: Callable[[UInt8, Size], UInt8]


def ways(own: str) -> Iterator[Way]:
    """All that are known; `own` is the filter that is right, whose grid may be off."""
    for name, kind in _FILTERS.items():
        yield Way(f"{name}, antialiased", False, partial(_pillow, kind=kind))
    for across, down in product((-_HALF, 0.0, _HALF), repeat=2):
        if across or down:
            says = f"{own}, {across:+.1f} and {down:+.1f} pixels off"
            yield Way(says, True, partial(_pillow, kind=_FILTERS[own], off=(across, down)))
    for grid in ("half-pixel", "asymmetric", "corners"):
        moved = grid != "half-pixel"
        yield Way(f"nearest neighbour, {grid} grid", False, _nearest(grid))
        yield Way(f"bilinear without antialiasing, {grid} grid", moved, _linear(grid))
    yield Way("bicubic without antialiasing", False, _cubic)


def _pillow(
    picture: UInt8, size: Size, *, kind: Image.Resampling, off: tuple[float, float] = (0.0, 0.0)
) -> UInt8:
    """Pillow's, of the picture moved by `off` output pixels; its border is repeated."""
    if not any(off):
        return np.asarray(Image.fromarray(picture).resize(size, kind))
    height, width = picture.shape[:2]
    step = -off[0] * width / size[0], -off[1] * height / size[1]
    room = [int(np.ceil(abs(one))) + 1 for one in step]
    grown = np.pad(picture, ((room[1], room[1]), (room[0], room[0]), (0, 0)), mode="edge")
    left, top = room[0] + step[0], room[1] + step[1]
    box = (left, top, left + width, top + height)
    return np.asarray(Image.fromarray(grown).resize(size, kind, box=box))


def _points(grid: Grid, length: int, made: int) -> Floats:
    """Where the output pixels lie in the picture, along one axis."""
    places: Floats = np.arange(made, dtype=np.float64)
    if grid == "half-pixel":
        places = (places + _HALF) * length / made - _HALF
    elif grid == "asymmetric":
        places = places * length / made
    else:
        places = places * (length - 1) / max(made - 1, 1)
    return np.clip(places, 0, length - 1)


def _linear(grid: Grid) -> Callable[[UInt8, Size], UInt8]:
    def resize(picture: UInt8, size: Size) -> UInt8:
        rows = _between(picture.astype(np.float64), _points(grid, picture.shape[0], size[1]), 0)
        return np.rint(_between(rows, _points(grid, picture.shape[1], size[0]), 1)).astype(np.uint8)

    return resize


def _cubic(picture: UInt8, size: Size) -> UInt8:
    """As OpenCV's INTER_CUBIC: Keys' kernel (1981) with a = -0.75."""
    made = picture.astype(np.float64)
    for axis, length in ((0, size[1]), (1, size[0])):
        before = made.shape[axis]
        points = (np.arange(length) + _HALF) * before / length - _HALF
        base = np.floor(points).astype(np.int64)
        along = [-1 if a == axis else 1 for a in range(3)]
        total = np.zeros([length if a == axis else made.shape[a] for a in range(3)])
        for tap in range(-1, 3):
            weight = _keys(points - (base + tap)).reshape(along)
            total += made.take(np.clip(base + tap, 0, before - 1), axis) * weight
        made = total
    return np.clip(np.rint(made), 0, 255).astype(np.uint8)


def _keys(distance: Floats, a: float = -0.75) -> Floats:
    d = np.abs(distance)
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * (d**3 - 5 * d**2 + 8 * d - 4)
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


def _between(values: Floats, points: Floats, axis: int) -> Floats:
    low = np.floor(points).astype(np.int64)
    high = np.minimum(low + 1, values.shape[axis] - 1)
    part = (points - low).reshape([-1 if a == axis else 1 for a in range(3)])
    return np.asarray(values.take(low, axis) * (1 - part) + values.take(high, axis) * part)


def _nearest(grid: Grid) -> Callable[[UInt8, Size], UInt8]:
    def resize(picture: UInt8, size: Size) -> UInt8:
        height, width = picture.shape[:2]
        round_ = np.floor if grid == "asymmetric" else np.rint
        rows, columns = (
            round_(_points(grid, length, made)).astype(np.int64)
            for length, made in ((height, size[1]), (width, size[0]))
        )
        return picture[rows][:, columns]

    return resize
