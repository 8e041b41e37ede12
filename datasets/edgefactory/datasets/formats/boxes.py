"""Boxes between formats: what comes in is checked against its picture, what goes out comes back."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Final

import msgspec

from edgefactory.datasets.documents import Box, Label
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.formats.foreign import ForeignPicture, Tally
from edgefactory.datasets.pictures import Upright, turned

_DIGITS: Final = 3  # of a pixel, in formats that write shares of the picture's sides
_ROUNDING: Final = 0.5  # pixels over the edge that are no more than a format's rounding


def settled(found: ForeignPicture, picture: Upright, tally: Tally) -> tuple[Label, ...]:
    """The labels of a foreign picture, their boxes in pixels of the upright picture.

    What lies over the picture's edge is cut off and counted. A box without an area, outside of the
    picture, or of a picture of another size is bad.
    """
    if all(label.box is None for label in found.labels):
        return found.labels
    size = (picture.width, picture.height)
    if found.size not in (None, size, picture.stored):
        wrong = f"{found.where} is about {found.size}, but {found.path} is {size}"
        tally.bad("pictures of another size than said", InputError(f"{wrong} pixels wide and high"))
        return ()
    unturned = found.size == picture.stored and found.size != size
    kept = []
    for label in found.labels:
        if label.box is None:
            kept.append(label)
            continue
        box = label.box
        if found.unit == "share":
            box = to_pixels(box, *size)
        elif unturned:
            box = turned(box, picture.orientation, picture.stored)
        inner = _cut(box, size)
        if inner is None:
            what = f"{found.where}: box {list(box)} has no area in {size[0]}x{size[1]} pixels"
            tally.bad("boxes", InputError(f"{what}; expected x0 < x1 and y0 < y1"))
            continue
        over = max(abs(a - b) for a, b in zip(box, inner, strict=True))
        tally.counts["boxes cut at the edge"] += over >= _ROUNDING
        kept.append(msgspec.structs.replace(label, box=inner))
    return tuple(kept)


def to_pixels(box: Box, width: int, height: int) -> Box:
    """A box in shares of the sides, in pixels, to a thousandth of a pixel."""
    x0, y0, x1, y1 = box
    return rounded((x0 * width, y0 * height, x1 * width, y1 * height))


def to_shares(box: Box, width: int, height: int) -> Box:
    """A box in pixels as (left, top, width, height) in shares of the sides."""
    x0, y0, x1, y1 = box
    return x0 / width, y0 / height, (x1 - x0) / width, (y1 - y0) / height


def rounded(box: Box) -> Box:
    """A box to a thousandth of a pixel, which formats that hold shares bring back exactly."""
    x0, y0, x1, y1 = (round(side, _DIGITS) + 0.0 for side in box)
    return x0, y0, x1, y1


def has_area(box: Box) -> bool:
    """Whether x0 < x1 and y0 < y1."""
    return box[0] < box[2] and box[1] < box[3]


def far_edge(start: float, length: float) -> float:
    """`start + length`, added as the decimal numbers that stand in the file.

    Two decimals of a file, 473.07 and 38.65, make 511.72 this way, and no neighbour of it.
    """
    return float(Decimal(repr(start)) + Decimal(repr(length)))


def length(start: float, end: float) -> float:
    """The number for which `far_edge` gives `end`, so that a box comes back bit by bit.

    There is none for some numbers of 16 or more digits; then it gives a neighbour of `end`.
    """
    plain = float(Decimal(repr(end)) - Decimal(repr(start)))
    for candidate in (plain, math.nextafter(plain, math.inf), math.nextafter(plain, -math.inf)):
        if far_edge(start, candidate) == end:
            return candidate
    return plain


def _cut(box: Box, size: tuple[int, int]) -> Box | None:
    if not all(math.isfinite(side) for side in box) or not has_area(box):
        return None
    limits = size * 2
    x0, y0, x1, y1 = (min(max(s, 0.0), m) + 0.0 for s, m in zip(box, limits, strict=True))
    return (x0, y0, x1, y1) if has_area((x0, y0, x1, y1)) else None
