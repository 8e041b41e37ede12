"""Faults of whole pictures: copies, leaks, wrong classes, bad light, blur, covered views."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from msgspec import structs
from PIL import Image, ImageFilter

from edgefactory.datasets.checks import Kind
from edgefactory.datasets.documents import Split
from planted import Fault, Picture, Pixels, Plot, Random, jpeg


def plant_exact(plot: Plot, count: int, random: Random) -> None:
    """The same pixels in another file of the same split: as PNG, or with a comment in the JPEG."""
    for index in _some(plot, count, random):
        original = plot.pictures[index]
        copy = _copy(original, _same_pixels(original, random), original.split)
        plot.faults.append(Fault("exact-duplicate", frozenset({index, plot.add(copy)})))


def plant_near(plot: Plot, count: int, random: Random) -> None:
    """A copy of the same split in another size, light, crop and JPEG quality."""
    for index in _some(plot, count, random):
        original = plot.pictures[index]
        copy = _copy(original, _nearly(original.pixels, random), original.split)
        plot.faults.append(Fault("near-duplicate", frozenset({index, plot.add(copy)})))


def plant_leaks(plot: Plot, count: int, random: Random) -> None:
    """Copies in another split, one half exact and the other half near."""
    splits: tuple[Split, ...] = ("train", "val", "test")
    for number, index in enumerate(_some(plot, count, random)):
        original = plot.pictures[index]
        others = [split for split in splits if split != original.split]
        content = _nearly(original.pixels, random) if number % 2 else _same_pixels(original, random)
        copy = _copy(original, content, others[int(random.integers(2))])
        plot.faults.append(Fault("leak", frozenset({index, plot.add(copy)})))


def plant_classes(plot: Plot, count: int, random: Random) -> None:
    """Another class, any of the others alike, on pictures that have no other fault."""
    for index in _some(plot, count, random):
        picture = plot.pictures[index]
        label = picture.labels[0]
        others = [name for name in plot.classes if name != label.class_]
        wrong = structs.replace(label, class_=others[int(random.integers(len(others)))])
        plot.pictures[index] = replace(picture, labels=(wrong,))
        plot.faults.append(Fault("label-error", frozenset({index})))


def plant_views(plot: Plot, count: int, random: Random) -> None:
    """So many of each: dark, over-exposed, blurred and covered pictures."""
    for kind, spoil in SPOILT.items():
        for index in _some(plot, count, random):
            plot.change(index, spoil(plot.pictures[index].pixels, random))
            plot.faults.append(Fault(kind, frozenset({index})))


def _some(plot: Plot, count: int, random: Random) -> list[int]:
    chosen: list[int] = random.choice(plot.untouched(), count, replace=False).tolist()
    return chosen


def _copy(original: Picture, content: bytes, split: Split) -> Picture:
    """A picture from elsewhere: of the same source, but of no place in its time."""
    return replace(original, content=content, split=split, frame=None)


def _same_pixels(original: Picture, random: Random) -> bytes:
    if random.random() < 0.5:
        buffer = io.BytesIO()
        Image.fromarray(original.pixels).save(buffer, "PNG", compress_level=1)
        return buffer.getvalue()
    comment = b"copy %d" % random.integers(1 << 30)
    segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
    return original.content[:2] + segment + original.content[2:]


def _nearly(pixels: Pixels, random: Random) -> bytes:
    height, width = pixels.shape[:2]
    left, top, right, bottom = (int(random.uniform(0, 0.03) * side) for side in (width, height) * 2)
    image = Image.fromarray(pixels[top : height - bottom, left : width - right])
    scale = random.uniform(0.75, 1.3)
    size = (round(image.width * scale), round(image.height * scale))
    changed = np.asarray(image.resize(size, Image.Resampling.BICUBIC), np.float32)
    changed = changed * random.uniform(0.9, 1.1) + random.uniform(-8, 8)
    return jpeg(np.clip(changed, 0, 255).astype(np.uint8), int(random.integers(40, 85)))


def _dark(pixels: Pixels, random: Random) -> Pixels:
    noise = random.normal(0, 2, pixels.shape)
    return _grey_levels(pixels * random.uniform(0.06, 0.4) + noise)


def _white(pixels: Pixels, random: Random) -> Pixels:
    return _grey_levels(pixels * random.uniform(1.6, 3.5) + random.uniform(0, 40))


def _blurred(pixels: Pixels, random: Random) -> Pixels:
    if random.random() < 0.5:
        blur = ImageFilter.GaussianBlur(random.uniform(1.5, 5))
        return np.asarray(Image.fromarray(pixels).filter(blur))
    length = int(random.integers(7, 25))
    axis = int(random.integers(2))
    moved = [np.roll(pixels, step, axis).astype(np.float32) for step in range(length)]
    return _grey_levels(np.mean(moved, axis=0))


def _covered(pixels: Pixels, random: Random) -> Pixels:
    """A smooth or a structured thing before the lens, in from one side, over 20 to 60% of it."""
    height, width = pixels.shape[:2]
    share = random.uniform(0.2, 0.6)
    y, x = np.mgrid[0:height, 0:width] / np.array([height, width])[:, None, None]
    tilt = random.uniform(-0.3, 0.3)
    side = (x + tilt * (y - 0.5), 1 - x + tilt * (y - 0.5), y + tilt * (x - 0.5))
    depth = side[int(random.integers(3))]
    mask = depth <= np.quantile(depth, share)
    if random.random() < 0.5:
        thing = random.uniform(0, 255, 3) * np.linspace(0.7, 1.1, width)[None, :, None]
        thing = np.broadcast_to(thing, pixels.shape) + random.normal(0, 3, pixels.shape)
    else:
        cut = Image.fromarray(pixels[height // 2 : height // 2 + 24, width // 2 : width // 2 + 32])
        thing = np.asarray(cut.resize((width, height), Image.Resampling.BICUBIC), np.float32)
        thing = 255 - thing if random.random() < 0.5 else thing * random.uniform(0.3, 0.8)
    soft = Image.fromarray((mask * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(6))
    part = np.asarray(soft, np.float32)[..., None] / 255
    return _grey_levels(pixels * (1 - part) + thing * part)


def _grey_levels(values: np.ndarray[tuple[int, ...], np.dtype[np.floating]]) -> Pixels:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


SPOILT: Final[Mapping[Kind, Callable[[Pixels, Random], Pixels]]] = {
    "dark": _dark,
    "over-exposed": _white,
    "blurred": _blurred,
    "occluded": _covered,
}
