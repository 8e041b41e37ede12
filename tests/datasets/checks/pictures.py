"""Pictures and snapshots that the checks' tests share: a still camera, and real digits."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgefactory.datasets import Header, Item, Label, Split
from edgefactory.datasets.carrying import write_snapshot
from edgefactory.datasets.checks.measuring import Measures, measure

Pixels = NDArray[np.uint8]
WIDTH, HEIGHT = 160, 120


@dataclass(frozen=True)
class Shot:
    """A picture before it is an item."""

    pixels: Pixels
    labels: tuple[Label, ...] = ()
    split: Split = "train"
    source: str = "cam"
    frame: int | None = None


def still(index: int, seed: int = 0) -> Pixels:
    """A street of grey blocks in which two figures walk: frame `index` of camera `seed`."""
    random = np.random.default_rng(seed)
    coarse = random.integers(50, 200, (12, 16, 3)).astype(np.uint8)
    street = Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    pixels = np.asarray(street).astype(np.int16)
    for number, (top, speed) in enumerate(((20, 11), (70, 7))):
        left = (10 + 60 * number + speed * index) % (WIDTH - 16)
        pixels[top : top + 30, left : left + 12] = 240 if number else 15
    noise = np.random.default_rng(1000 * seed + index).normal(0, 2, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def digits(count: int) -> tuple[list[Pixels], list[str]]:
    """The first handwritten digits of scikit-learn, enlarged to 32x32, and their classes."""
    from sklearn.datasets import load_digits

    originals, classes = load_digits(return_X_y=True)
    grey = [Image.fromarray((d.reshape(8, 8) * 15.9).astype(np.uint8)) for d in originals[:count]]
    large = [np.asarray(g.resize((32, 32), Image.Resampling.BICUBIC).convert("RGB")) for g in grey]
    return large, [str(class_) for class_ in classes[:count]]


def measured(pictures: Sequence[Pixels]) -> Measures:
    """The measurements of all of them."""
    found = Measures.empty(len(pictures))
    for index, pixels in enumerate(pictures):
        found.put(index, measure(pixels))
    return found


def said(class_: str, box: tuple[float, float, float, float] | None = None) -> Label:
    """A person's label."""
    return Label(class_, box, "human:ann", 1.0, "reviewed")


def png(pixels: Pixels) -> bytes:
    """A PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def item_of(shot: Shot, content: bytes) -> Item:
    """The item of a shot whose file has these bytes."""
    digest = hashlib.sha256(content).hexdigest()
    height, width = shot.pixels.shape[:2]
    at = float(shot.frame or 0)
    file = f"images/{digest}.png"
    return Item(digest, file, width, height, shot.source, shot.frame, at, shot.split, shot.labels)


def write(out: Path, header: Header, shots: Sequence[Shot]) -> list[str]:
    """Write a snapshot of the shots at `out`; their ids."""
    contents = [png(shot.pixels) for shot in shots]
    items = [item_of(shot, content) for shot, content in zip(shots, contents, strict=True)]
    files = {item.id: content for item, content in zip(items, contents, strict=True)}
    write_snapshot(out, header, items, lambda item: files[item.id])
    return [item.id for item in items]
