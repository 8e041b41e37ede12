"""Small snapshots for tests: their pictures are any bytes, which no operation on labels minds.

Where pictures are looked at, `plain_pictures` are real ones.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from msgspec.structs import replace
from PIL import Image

from edgefactory.datasets import ErrorBound, Header, Item, Label, Split
from edgefactory.datasets.carrying import write_snapshot
from edgefactory.datasets.documents import Box

TEACHER = "teacher:" + "7" * 64
BOX: Box = (1.0, 2.0, 11.0, 22.0)
FAR: Box = (30.0, 30.0, 40.0, 40.0)
HEADER = Header("toy", "detection", ("person", "cat"), "teacher")


def item(seed: int, *labels: Label, split: Split = "train", at: float | None = None) -> Item:
    """Picture number `seed`, taken at that second unless `at` says otherwise."""
    name = hashlib.sha256(content(seed)).hexdigest()
    seconds = float(seed) if at is None else at
    return Item(name, f"images/{name}.jpg", 64, 48, "cam", seed, seconds, split, labels)


def content(seed: int) -> bytes:
    """The bytes of picture number `seed`."""
    return b"picture %d" % seed


def plain_pictures(count: int) -> dict[str, bytes]:
    """PNGs of 64x48 pixels, each of another grey, by their SHA-256."""
    found = {}
    for number in range(count):
        buffer = io.BytesIO()
        Image.fromarray(np.full((48, 64, 3), 3 * number, np.uint8)).save(buffer, "PNG")
        found[hashlib.sha256(buffer.getvalue()).hexdigest()] = buffer.getvalue()
    return found


def seen(kind: str = "person", box: Box | None = BOX, score: float = 0.8) -> Label:
    """A machine's label."""
    return Label(kind, box, TEACHER, score, "accepted")


def said(kind: str = "person", box: Box | None = BOX, who: str = "ann") -> Label:
    """A person's label."""
    return Label(kind, box, f"human:{who}", 1.0, "reviewed")


def bound(labels: int, digit: str = "b", classes: tuple[str, ...] = ("person",)) -> ErrorBound:
    """A bound that speaks of that many labels."""
    return ErrorBound(digit * 16, classes, 0.05, 0.95, 0.4, labels, 60, 0, "test", "t")


def vouched(label: Label, by: ErrorBound) -> Label:
    """The label, naming that bound."""
    return replace(label, bound=by.id)


def write(folder: Path, items: Iterable[Item], header: Header = HEADER) -> Path:
    """A snapshot folder at `folder` with these items and pictures."""
    found = tuple(items)
    pictures = {hashlib.sha256(content(seed)).hexdigest(): content(seed) for seed in range(200)}
    write_snapshot(folder, header, found, lambda one: pictures[one.id])
    return folder
