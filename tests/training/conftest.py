"""A small generated snapshot: bright upright boxes on a dark noisy ground."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgefactory.datasets import Item, Label, Snapshot, Split, header_of, write_manifest

SIDE = (64, 48)
ORIGIN = "teacher:" + "0" * 64


def _picture(generator: np.random.Generator) -> tuple[bytes, tuple[Label, ...]]:
    pixels = generator.integers(20, 60, (SIDE[1], SIDE[0], 3), dtype=np.uint8)
    labels = []
    for slot in generator.permutation(3)[: generator.integers(1, 3)]:
        left, top = int(slot) * 20 + 4, int(generator.integers(2, 20))
        pixels[top : top + 24, left : left + 10] = generator.integers(180, 255, 3)
        box = (float(left), float(top), float(left + 10), float(top + 24))
        labels.append(Label("person", box, ORIGIN, 0.9, "accepted"))
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=95)
    return stream.getvalue(), tuple(labels)


def _digit(generator: np.random.Generator) -> tuple[bytes, tuple[Label, ...]]:
    bright = bool(generator.integers(2))
    low, high = (150, 250) if bright else (0, 100)
    pixels = generator.integers(low, high, (16, 16, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=95)
    name = "light" if bright else "dark"
    return stream.getvalue(), (Label(name, None, "imported:test", 1.0, "accepted"),)


def write_snapshot(folder: Path, task: str, count: int = 20) -> Path:
    """A snapshot of `count` pictures: the last fifth validates, two more test."""
    generator = np.random.default_rng(7)
    (folder / "images").mkdir(parents=True)
    items = []
    for index in range(count):
        content, labels = (_picture if task == "detection" else _digit)(generator)
        name = hashlib.sha256(content).hexdigest()
        (folder / "images" / f"{name}.jpg").write_bytes(content)
        split: Split = "test" if index >= count - 2 else "val" if index >= count * 0.7 else "train"
        width, height = SIDE if task == "detection" else (16, 16)
        items.append(
            Item(
                id=name,
                file=f"images/{name}.jpg",
                width=width,
                height=height,
                source="toy",
                frame=index,
                captured_at=float(index),
                split=split,
                labels=labels,
            )
        )
    snapshot = Snapshot(
        name="toy",
        task="detection" if task == "detection" else "classification",
        classes=("person",) if task == "detection" else ("dark", "light"),
        test_labels="teacher" if task == "detection" else "imported",
        truth_sha256=None,
        items=tuple(items),
    )
    write_manifest(folder, header_of(snapshot), snapshot.items)
    return folder


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """A detection snapshot on disk."""
    return write_snapshot(tmp_path / "snapshot", "detection")


@pytest.fixture
def vouchers(tmp_path: Path) -> Path:
    """A classification snapshot on disk."""
    return write_snapshot(tmp_path / "vouchers", "classification")
