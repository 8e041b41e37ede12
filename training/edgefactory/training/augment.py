"""Training pictures, changed a little at random: as other light and a nudged camera would.

What is done to a picture is drawn first (`draw`), from a generator of its own, so that it depends
neither on threads nor on processes. Pixels are moved by OpenCV and boxes of a whole batch at once:
as torchvision's transforms (v2) move them, held by tests, in a fraction of their time. Colours and
blur are torchvision's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torchvision.transforms.v2.functional as F
from torch import Tensor
from torch.nn import functional

from edgefactory.training.recipe import Augment
from edgefactory.training.targets import Marks

DICE = 18  # random numbers that decide what happens to a picture

UInt8 = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_ZOOMED = 0.5  # of the pictures: to move a picture costs nothing, to resample it does
_HALF = 0.5  # of a box must still be seen, or it is no longer asked for
_LARGEST_MASK = 0.3  # of a side, of what `mask` hides
GREY = 114  # of what is hidden, as of a letterbox


class Window(NamedTuple):
    """The part of a picture that is enlarged or shrunk to its full size; it may reach beyond.

    left, top, width and height in pixels; `mirrored` swaps left and right afterwards.
    """

    left: int
    top: int
    width: int
    height: int
    mirrored: bool


@dataclass(frozen=True)
class Change:
    """All that is done to one picture; None where nothing is.

    `masked` is a box xyxy, `hue` in turns (-0.5..0.5), `blur` the Gaussian's deviation in pixels.
    Grey levels become `gain` times as much, and `offset` more.
    """

    window: Window | None
    masked: tuple[int, int, int, int] | None
    hue: float | None
    saturation: float
    blur: float | None
    gain: float
    offset: float


def draw(how: Augment, side: tuple[int, int], dice: Sequence[float], *, sequence: bool) -> Change:
    """What happens to a picture of `side` (width, height), by DICE numbers in 0..1.

    A sequence keeps its rows.
    """
    coloured = how.colour > 0
    return Change(
        window=_window(how, side, dice[:5], sequence=sequence),
        masked=_mask(side, dice[5:10], sequence=sequence) if dice[10] < how.mask else None,
        hue=_around(0.0, how.colour, dice[11]) if coloured else None,
        saturation=_around(1.0, how.colour, dice[12]) if coloured else 1.0,
        blur=_around(0.8, 0.4, dice[13]) if dice[16] < how.blur else None,
        gain=_around(1.0, how.brightness, dice[14]),
        offset=_around(0.0, how.offset, dice[15]),
    )


def change(picture: UInt8, wanted: Change, out: UInt8) -> None:
    """Write the changed `picture` [H,W,3] to `out` of the same shape."""
    if wanted.window is None:
        out[:] = picture
    else:
        view(picture, wanted.window, out)
    if wanted.hue is not None or wanted.blur is not None:
        image = torch.from_numpy(out).permute(2, 0, 1)
        if wanted.hue is not None:
            image = F.adjust_saturation(F.adjust_hue(image, wanted.hue), wanted.saturation)
        if wanted.blur is not None:
            image = F.gaussian_blur(image, [5, 5], [wanted.blur, wanted.blur])
        out[:] = image.permute(1, 2, 0).numpy()
    if wanted.masked is not None:
        x0, y0, x1, y1 = wanted.masked
        out[y0:y1, x0:x1] = GREY


def light(wanted: Change, out: UInt8) -> None:
    """Other light for a picture [H,W,3], in place, rounded to grey levels."""
    if (wanted.gain, wanted.offset) != (1.0, 0.0):
        cv2.addWeighted(out, wanted.gain, out, 0.0, wanted.offset, dst=out)


def views(pictures: UInt8, changes: Sequence[Change]) -> UInt8:
    """The windows of a batch [N,H,W,3], masked: as `change` does it, but all at once.

    For tiny pictures, whose own cost is less than that of a call. Windows are placed exactly, where
    `view` rounds them to whole pixels at a picture's border.
    """
    height, width = pictures.shape[1:3]
    out = pictures
    if any(wanted.window is not None for wanted in changes):
        place = np.zeros((len(changes), 2, 3), np.float32)
        for row, wanted in enumerate(changes):
            left, top, wide, high, mirrored = wanted.window or (0, 0, width, height, False)
            place[row, 0] = (
                wide / width * (-1 if mirrored else 1),
                0,
                (2 * left + wide) / width - 1,
            )
            place[row, 1] = (0, high / height, (2 * top + high) / height - 1)
        grid = functional.affine_grid(
            torch.from_numpy(place), [len(pictures), 3, height, width], align_corners=False
        )
        pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
        moved_to = functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
        out = moved_to.round_().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
    for row, wanted in enumerate(changes):
        if wanted.masked is not None:
            x0, y0, x1, y1 = wanted.masked
            out[row, y0:y1, x0:x1] = GREY
    return out


def view(picture: UInt8, window: Window, out: UInt8) -> None:
    """The window of a picture [H,W,3] at the picture's size; its border is continued."""
    height, width = picture.shape[:2]
    seen, (x0, y0, x1, y1) = _seen(window, (width, height))
    part = picture[seen[1] : seen[3], seen[0] : seen[2]]
    if window.mirrored:
        x0, x1 = width - x1, width - x0
    place = out[y0:y1, x0:x1]
    if part.shape == place.shape:
        place[:] = part
    else:
        cv2.resize(part, (x1 - x0, y1 - y0), dst=place)
    if window.mirrored:
        cv2.flip(place, 1, dst=place)
    # What lies in the middle of `dst` already is not copied.
    cv2.copyMakeBorder(place, y0, height - y1, x0, width - x1, cv2.BORDER_REPLICATE, dst=out)


def moved(marks: Marks, of: Ints, changes: Sequence[Change], side: tuple[int, int]) -> Marks:
    """The marks of a batch after its changes; `of` [m] is whose picture each belongs to.

    `side` is the pictures' width and height. A box goes where its pixels went. One of which less
    than half is still seen, or not hidden, becomes an ignore region; one that has left has the
    weight 0.
    """
    scale, shift, mirrored, hidden = _as_arrays(changes, side)
    full = np.array([*side, *side], np.float32)
    boxes = marks.boxes * np.tile(scale[of], 2) + np.tile(shift[of], 2)
    turned = np.stack((side[0] - boxes[:, 2], boxes[:, 1], side[0] - boxes[:, 0], boxes[:, 3]), 1)
    boxes = np.where(mirrored[of, None], turned, boxes).astype(np.float32)
    inside = np.clip(boxes, 0, full)
    area = np.maximum(_area(boxes), 1e-6)
    low, high = np.maximum(inside[:, :2], hidden[of, :2]), np.minimum(inside[:, 2:], hidden[of, 2:])
    kept = _area(inside) / area
    open_ = kept - np.clip(high - low, 0, None).prod(axis=1) / area
    return Marks(
        inside,
        marks.labels,
        np.where(kept > 0, marks.weights, 0).astype(np.float32),
        marks.heights,
        marks.ignore | (open_ < _HALF),
    )


def noisy(pixels: Tensor, noise: float, chance: torch.Generator) -> Tensor:
    """Add noise of that deviation to grey levels, float [N,3,H,W]; in place."""
    drawn = torch.randn(pixels.shape, generator=chance)
    return pixels.add_(drawn.to(pixels.device), alpha=noise).clamp_(0, 255)


def _around(middle: float, spread: float, die: float) -> float:
    return middle + spread * (2 * die - 1)


def _window(
    how: Augment, side: tuple[int, int], dice: Sequence[float], *, sequence: bool
) -> Window | None:
    mirrored = dice[0] < how.flip
    share = _around(1.0, how.scale, dice[2]) if dice[1] < _ZOOMED else 1.0
    wide, high = round(side[0] * share), round(side[1] * share)
    left = round((side[0] - wide) / 2 + _around(0.0, how.shift, dice[3]) * side[0])
    top = round((side[1] - high) / 2 + _around(0.0, how.shift, dice[4]) * side[1])
    if sequence:
        top, high = 0, side[1]
    window = Window(left, top, wide, high, mirrored)
    return None if window == (0, 0, *side, False) else window


def _mask(
    side: tuple[int, int], dice: Sequence[float], *, sequence: bool
) -> tuple[int, int, int, int]:
    """A part to hide: a rectangle (random erasing, Zhong et al. 2017), or of a sequence some steps
    or some features (SpecAugment, Park et al. 2019, section 2)."""
    spans = [max(1, round(d * _LARGEST_MASK * n)) for d, n in zip(dice[:2], side, strict=True)]
    starts = [int(d * (n - span + 1)) for d, n, span in zip(dice[2:4], side, spans, strict=True)]
    if sequence:
        axis = int(dice[4] < 0.5)
        starts[axis], spans[axis] = 0, side[axis]
    return starts[0], starts[1], starts[0] + spans[0], starts[1] + spans[1]


def _as_arrays(
    changes: Sequence[Change], side: tuple[int, int]
) -> tuple[Floats, Floats, npt.NDArray[np.bool_], Floats]:
    """Of each picture: how boxes are scaled and shifted [n,2], mirrored [n], and hidden [n,4]."""
    scale, shift = np.ones((len(changes), 2)), np.zeros((len(changes), 2))
    mirrored = np.zeros(len(changes), np.bool_)
    hidden = np.zeros((len(changes), 4))
    for row, wanted in enumerate(changes):
        if wanted.masked is not None:
            hidden[row] = wanted.masked
        if wanted.window is not None:
            seen, place = _seen(wanted.window, side)
            for axis in (0, 1):
                scale[row, axis] = (place[2 + axis] - place[axis]) / (seen[2 + axis] - seen[axis])
                shift[row, axis] = place[axis] - seen[axis] * scale[row, axis]
            mirrored[row] = wanted.window.mirrored
    return scale, shift, mirrored, hidden


def _area(boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).prod(axis=1))


def _seen(
    window: Window, side: tuple[int, int]
) -> tuple[tuple[int, int, int, int], tuple[int, int, int, int]]:
    """The part of the window inside of the picture, and where it comes to lie; both xyxy."""
    seen: list[int] = []
    place: list[int] = []
    for axis in (0, 1):
        start, span, full = window[axis], window[2 + axis], side[axis]
        low, high = max(start, 0), min(start + span, full)
        scale = full / span
        first = min(round((low - start) * scale), full - 1)
        seen += [low, high]
        place += [first, max(round((high - start) * scale), first + 1)]
    return (seen[0], seen[2], seen[1], seen[3]), (place[0], place[2], place[1], place[3])
