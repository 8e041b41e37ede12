"""A picture as a page shows it: cut to where to look, with boxes over it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from edgefactory.datasets import Item, load_picture
from edgefactory.datasets.documents import Box
from edgefactory.pipelines.report.embed import jpeg_uri

LONGEST: Final = 420  # pixels of a shown picture's longer side
SMALL: Final = 64  # pixels of a side below which a picture is shown with its pixels in sight
AROUND: Final = 2.2  # how many times its size is shown around a box
LEAST: Final = 120.0  # pixels that are shown around a small box, at least

Kinded = tuple[str, Box]
"""A box and its kind, a class of page.css."""


@dataclass(frozen=True)
class Mark:
    """A box over a shown picture, in the picture's own pixels: x, y, width, height."""

    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Shot:
    """One shown picture: the part `view` (x, y, width, height) of it, and what it is."""

    uri: str
    view: tuple[int, int, int, int]
    marks: tuple[Mark, ...]
    caption: str
    small: bool


def shot(folder: Path, item: Item, boxes: Collection[Kinded], *, whole: bool = False) -> Shot:
    """The item of the snapshot in `folder` around `boxes`, or the whole of it."""
    pixels = load_picture(folder, item)
    shown = [] if whole else [box for _, box in boxes]
    view = _view(shown, item.width, item.height)
    x, y, width, height = view
    image = Image.fromarray(pixels[y : y + height, x : x + width])
    image.thumbnail((LONGEST, LONGEST), Image.Resampling.BILINEAR)
    marks = [
        Mark(kind, box[0] - x, box[1] - y, box[2] - box[0], box[3] - box[1]) for kind, box in boxes
    ]
    where = item.name or f"{item.source}, frame {item.frame}"
    if item.name is None and item.frame is None:
        where = item.source
    caption = f"{item.split}: {where}"
    small = max(item.width, item.height) < SMALL
    return Shot(jpeg_uri(np.asarray(image)), view, tuple(marks), caption, small)


def _view(boxes: list[Box], width: int, height: int) -> tuple[int, int, int, int]:
    """The part of the picture to show: all of it, or what is around the boxes."""
    if not boxes:
        return 0, 0, width, height
    low = [min(box[side] for box in boxes) for side in (0, 1)]
    high = [max(box[side + 2] for box in boxes) for side in (0, 1)]
    side = max(max(b - a for a, b in zip(low, high, strict=True)) * AROUND, LEAST)
    start, size = [], []
    for axis, limit in enumerate((width, height)):
        length = min(round(side), limit)
        first = round((low[axis] + high[axis]) / 2 - length / 2)
        start.append(min(max(first, 0), limit - length))
        size.append(length)
    return start[0], start[1], size[0], size[1]
