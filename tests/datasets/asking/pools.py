"""Small snapshots on disk, made of pictures that are told."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgefactory.datasets import Header, Item, Label
from edgefactory.datasets.carrying import write_snapshot
from edgefactory.datasets.documents import Box, Split, Task

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Shot:
    """A picture, what is said of it, and where it belongs; `frame` makes it one of a video."""

    pixels: Pixels
    labels: tuple[Label, ...] = ()
    split: Split = "train"
    reviewed: bool = False
    frame: int | None = None


def saved(folder: Path, task: Task, classes: Sequence[str], shots: Sequence[Shot]) -> list[str]:
    """Write the snapshot into `folder` and return its pictures' ids, in the order of `shots`."""
    contents = {}
    items = []
    for shot in shots:
        content = png(shot.pixels)
        digest = hashlib.sha256(content).hexdigest()
        contents[digest] = content
        height, width, _ = shot.pixels.shape
        items.append(
            Item(
                id=digest,
                file=f"images/{digest}.png",
                width=width,
                height=height,
                source="camera",
                frame=shot.frame,
                captured_at=0.2 * (shot.frame or 0),
                split=shot.split,
                labels=shot.labels,
                reviewed=shot.reviewed,
            )
        )
    header = Header("pool", task, tuple(classes), "human", None)
    write_snapshot(folder, header, items, lambda item: contents[item.id])
    return [item.id for item in items]


def png(pixels: Pixels) -> bytes:
    """The PNG file of a picture."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def texture(seed: int, noise: int = 0) -> Pixels:
    """A coarse pattern [32,32,3] that `seed` alone decides, but for a little noise."""
    coarse = np.random.default_rng(seed).integers(20, 230, (4, 4, 3))
    fine = np.random.default_rng(1000 + noise).integers(0, 3, (32, 32, 3))
    return (np.kron(coarse, np.ones((8, 8, 1))) + fine).astype(np.uint8)


def said(class_: str, score: float, box: Box | None = None, teacher: str = "teacher:one") -> Label:
    """What a machine says: accepted from 0.5 on."""
    return Label(class_, box, teacher, score, "accepted" if score >= 0.5 else "queued")


def walk(frame: int) -> tuple[Pixels, Box]:
    """A dark figure at 8 pixels a frame in front of a still pattern [64,96,3], and its box;
    frames 0 to 9."""
    pixels = np.kron(np.random.default_rng(7).integers(150, 220, (8, 12, 1)), np.ones((8, 8, 3)))
    left = 5 + 8 * frame
    pixels[20:50, left : left + 16] = 30
    return pixels.astype(np.uint8), (float(left), 20.0, float(left + 16), 50.0)
