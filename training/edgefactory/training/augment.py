"""Training pictures, changed a little at random: as other light and a nudged camera would.

What is done to a picture is drawn first (`draw`), from a generator of its own, so that it depends
neither on threads nor on processes; then pixels and boxes are moved by torchvision's transforms
(v2). Light and noise change a whole batch on the network's device (`lit`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torchvision.transforms.v2.functional as F
from torch import Tensor
from torchvision import tv_tensors

from edgefactory.training.recipe import Augment
from edgefactory.training.targets import Marks

UInt8 = npt.NDArray[np.uint8]

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
    """All that is done to one picture.

    `hue` is in turns (-0.5..0.5), `blur` the Gaussian's deviation in pixels, `masked` a box xyxy.
    `gain` and `offset` are for `lit`. None where nothing is done.
    """

    window: Window | None
    masked: tuple[int, int, int, int] | None
    hue: float | None
    saturation: float
    blur: float | None
    gain: float
    offset: float


def draw(
    how: Augment, side: tuple[int, int], chance: np.random.Generator, *, sequence: bool
) -> Change:
    """What happens to a picture of `side` (width, height); a sequence keeps its rows."""
    window = _window(how, side, chance, sequence=sequence)
    masked = _mask(side, chance, sequence=sequence) if chance.random() < how.mask else None
    coloured = how.colour > 0
    return Change(
        window=window,
        masked=masked,
        hue=float(chance.uniform(-how.colour, how.colour)) if coloured else None,
        saturation=float(chance.uniform(1 - how.colour, 1 + how.colour)) if coloured else 1.0,
        blur=float(chance.uniform(0.4, 1.2)) if chance.random() < how.blur else None,
        gain=1 + how.brightness * float(chance.uniform(-1, 1)),
        offset=how.offset * float(chance.uniform(-1, 1)),
    )


def change(picture: UInt8, marks: Marks | None, wanted: Change, out: UInt8) -> Marks | None:
    """Write the changed `picture` [H,W,3] to `out` of the same shape; gives the moved marks."""
    if wanted.window is None:
        out[:] = picture
    else:
        view(picture, wanted.window, out)
        marks = None if marks is None else moved(marks, wanted.window, picture.shape[:2])
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
        marks = None if marks is None else _hidden(marks, wanted.masked)
    return marks


def view(picture: UInt8, window: Window, out: UInt8) -> None:
    """The window of a picture [H,W,3] at the picture's size; its border is continued."""
    height, width = picture.shape[:2]
    seen, place = _seen(window, (width, height))
    part = picture[seen[1] : seen[3], seen[0] : seen[2]]
    x0, y0, x1, y1 = place
    if part.shape[:2] != (y1 - y0, x1 - x0):
        image = torch.from_numpy(part).permute(2, 0, 1)
        part = F.resize(image, [y1 - y0, x1 - x0], antialias=False).permute(1, 2, 0).numpy()
    if window.mirrored:
        part, x0, x1 = part[:, ::-1], width - x1, width - x0
    out[y0:y1, x0:x1] = part
    out[y0:y1, :x0], out[y0:y1, x1:] = out[y0:y1, x0 : x0 + 1], out[y0:y1, x1 - 1 : x1]
    out[:y0], out[y1:] = out[y0], out[y1 - 1]


def moved(marks: Marks, window: Window, size: tuple[int, ...]) -> Marks:
    """Boxes go where their pixels went in a picture of `size` (height, width).

    One of which less than half is still seen becomes an ignore region, one that has left goes.
    """
    if not len(marks):
        return marks
    height, width = size
    seen, place = _seen(window, (width, height))
    boxes = tv_tensors.BoundingBoxes(
        torch.from_numpy(marks.boxes),
        format=tv_tensors.BoundingBoxFormat.XYXY,
        canvas_size=(height, width),
        clamping_mode=None,
    )
    wide, high = place[2] - place[0], place[3] - place[1]
    boxes = F.crop(boxes, seen[1], seen[0], seen[3] - seen[1], seen[2] - seen[0])
    boxes = F.resize(boxes, [high, wide])
    boxes = F.pad(boxes, [place[0], place[1], width - place[2], height - place[3]])
    boxes = F.horizontal_flip(boxes) if window.mirrored else boxes
    whole = boxes.as_subclass(Tensor)
    inside = F.clamp_bounding_boxes(boxes, clamping_mode="hard").as_subclass(Tensor)
    area = (whole[:, 2:] - whole[:, :2]).prod(1).clamp(min=1e-6)
    kept = ((inside[:, 2:] - inside[:, :2]).prod(1) / area).numpy()
    placed = Marks(
        inside.numpy(), marks.labels, marks.weights, marks.heights, marks.ignore | (kept < _HALF)
    )
    return placed.at(kept > 0)


def lit(
    pixels: Tensor, gains: Tensor, offsets: Tensor, noise: float, chance: torch.Generator
) -> Tensor:
    """Other light and noise for a batch of grey levels, float [N,3,H,W]; changes it in place.

    gains and offsets [N].
    """
    pixels.mul_(gains[:, None, None, None]).add_(offsets[:, None, None, None])
    if noise:
        drawn = torch.randn(pixels.shape, generator=chance)
        pixels.add_(drawn.to(pixels.device), alpha=noise)
    return pixels.clamp_(0, 255)


def _window(
    how: Augment, side: tuple[int, int], chance: np.random.Generator, *, sequence: bool
) -> Window | None:
    mirrored = bool(chance.random() < how.flip)
    zoom = how.scale * float(chance.uniform(-1, 1)) if chance.random() < _ZOOMED else 0.0
    shift_x, shift_y = (how.shift * float(chance.uniform(-1, 1)) for _ in range(2))
    wide, high = round(side[0] * (1 + zoom)), round(side[1] * (1 + zoom))
    left = round((side[0] - wide) / 2 + shift_x * side[0])
    top = round((side[1] - high) / 2 + shift_y * side[1])
    if sequence:
        top, high = 0, side[1]
    window = Window(left, top, wide, high, mirrored)
    return None if window == (0, 0, *side, False) else window


def _mask(
    side: tuple[int, int], chance: np.random.Generator, *, sequence: bool
) -> tuple[int, int, int, int]:
    """A part to hide: a rectangle (random erasing, Zhong et al. 2017), or of a sequence some steps
    or some features (SpecAugment, Park et al. 2019, section 2)."""
    spans = [max(1, round(float(chance.uniform(0, _LARGEST_MASK)) * length)) for length in side]
    starts = [int(chance.integers(0, n - s + 1)) for n, s in zip(side, spans, strict=True)]
    if sequence:
        axis = int(chance.integers(2))
        starts[axis], spans[axis] = 0, side[axis]
    return starts[0], starts[1], starts[0] + spans[0], starts[1] + spans[1]


def _hidden(marks: Marks, masked: tuple[int, int, int, int]) -> Marks:
    """Of what is mostly behind the mask nothing is asked."""
    low = np.maximum(marks.boxes[:, :2], masked[:2])
    high = np.minimum(marks.boxes[:, 2:], masked[2:])
    covered = np.clip(high - low, 0, None).prod(axis=1)
    area = np.maximum((marks.boxes[:, 2:] - marks.boxes[:, :2]).prod(axis=1), 1e-6)
    return Marks(
        marks.boxes,
        marks.labels,
        marks.weights,
        marks.heights,
        marks.ignore | (covered / area > _HALF),
    )


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
