"""Snapshots that the small models of `graphs` are judged on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from edgefactory.datasets import Header, Item, Label, Split
from edgefactory.datasets.carrying import write_snapshot

from .graphs import COLOURS, QUARTERS, colours, item, quarters, scene

NOON = 1_750_075_200.0  # 2025-06-16 12:00 UTC


@pytest.fixture(scope="session")
def lamps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Light quarters are lamps: by two cameras, day and night, 24 pictures test and 12 validate.

    Some lamps are dim, and some light quarters are none.
    """
    generator = np.random.default_rng(0)
    made: list[tuple[Item, bytes]] = []
    for number in range(36):
        lit = generator.random(4) < 0.5
        level = np.where(lit, generator.integers(110, 250, 4), generator.integers(5, 130, 4))
        labels = [
            Label("lamp", box, "human:ann", 1.0, "reviewed")
            for box, on in zip(QUARTERS, lit, strict=True)
            if on
        ]
        split: Split = "val" if number % 3 == 0 else "test"
        source, at = ("door", NOON) if number % 2 else ("<hall>", NOON + 12 * 3600)
        made.append(item(scene(*level), split, tuple(labels), source, at + number))
    return _snapshot(tmp_path_factory.mktemp("lamps") / "snapshot", "a <lamp> line", "lamp", made)


@pytest.fixture(scope="session")
def paints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures in one of three colours, some of them hard to tell; 45 test, 45 validate."""
    generator = np.random.default_rng(1)
    made = []
    for number in range(90):
        kind = number % 3
        level = generator.integers(60, 140, 3)
        level[kind] += generator.integers(0, 60)
        pixels = np.tile(level.astype(np.uint8), (48, 64, 1))
        label = Label(COLOURS[kind], None, "human:ann", 1.0, "reviewed")
        made.append(item(pixels, "val" if number % 2 else "test", (label,)))
    return _snapshot(tmp_path_factory.mktemp("paints") / "snapshot", "paints", "", made)


def _snapshot(folder: Path, name: str, class_: str, made: Sequence[tuple[Item, bytes]]) -> Path:
    files = {one.id: content for one, content in made}
    header = (
        Header(name, "detection", (class_,), "human")
        if class_
        else Header(name, "classification", COLOURS, "human")
    )
    write_snapshot(folder, header, [one for one, _ in made], lambda one: files[one.id])
    return folder


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `lamps.onnx`, `mute.onnx` (which says nothing of itself), `paints.onnx` and
    `likeness.onnx`."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "lamps.onnx").write_bytes(quarters())
    (folder / "mute.onnx").write_bytes(quarters(says=False))
    (folder / "paints.onnx").write_bytes(colours())
    (folder / "likeness.onnx").write_bytes(colours("embedding"))
    return folder
