"""A snapshot ready to be learned: pictures at the network's resolution as bytes, with targets."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from edge_runtime.contract import InputSpec, Placement, placement, preprocess
from edgefactory.datasets import (
    Item,
    Label,
    Progress,
    Snapshot,
    Split,
    load_picture,
    read_snapshot,
)
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.files import storage_errors
from edgefactory.datasets.workers import cores
from edgefactory.training.checkpoint import input_spec
from edgefactory.training.metrics import Truth
from edgefactory.training.recipe import Distil, Recipe
from edgefactory.training.targets import NO_MARKS, ClassTargets, Marks

UInt8 = npt.NDArray[np.uint8]

IN_MEMORY: Final = 2 << 30  # bytes of pictures; more lie in a file that the system's cache serves


@dataclass(frozen=True)
class Examples:
    """N pictures uint8 [N,H,W,3] RGB, exactly as the edge will feed them, and their targets."""

    pictures: UInt8
    targets: tuple[Marks, ...] | ClassTargets

    def __len__(self) -> int:
        return len(self.pictures)

    def truths(self) -> list[Truth]:
        """The boxes of each picture in pixels of the input, for the metrics; detection only."""
        assert not isinstance(self.targets, ClassTargets)
        return [
            Truth(m.boxes.astype(np.float64), m.labels, m.ignore)
            for m in (marks.at(marks.weights > 0) for marks in self.targets)
        ]


def load_examples(
    folder: Path,
    snapshot: Snapshot,
    split: Split,
    recipe: Recipe,
    scratch: Path | None = None,
    progress: Progress | None = None,
) -> Examples | None:
    """The pictures of one split, or None if it has none.

    Accepted and reviewed labels teach; queued ones, and those marked so, are ignore regions;
    rejected ones count as background. Pictures of more than IN_MEMORY bytes are kept in a file in
    `scratch`, which a later call with the same arguments takes up again.
    """
    items = snapshot.split(split)
    if not items:
        return None
    pictures, places = load_pictures(folder, items, input_spec(recipe), scratch, split, progress)
    numbers = {name: number for number, name in enumerate(snapshot.classes)}
    if recipe.task == "detection":
        distil = recipe.distil if split == "train" else Distil()
        return Examples(pictures, marks_of(items, places, numbers, distil))
    return Examples(pictures, _classes(items, numbers, recipe.distil))


def load_unlabelled(
    recipe: Recipe, scratch: Path | None, progress: Progress | None
) -> Examples | None:
    """The pictures of the recipe's other snapshot, all but its test split; None if it names none.

    Their labels are not looked at. Raises InputError when there are no pictures.
    """
    if recipe.distil.unlabelled is None:
        return None
    folder = Path(recipe.distil.unlabelled).expanduser()
    items = [item for item in read_snapshot(folder).items if item.split != "test"]
    if not items:
        raise InputError(f"{folder} has no pictures outside of its test split; name another")
    spec = input_spec(recipe)
    pictures, _ = load_pictures(folder, items, spec, scratch, "unlabelled", progress)
    if recipe.task == "detection":
        return Examples(pictures, (NO_MARKS,) * len(items))
    nothing = torch.zeros(len(items))
    return Examples(pictures, ClassTargets(nothing.long(), nothing))


def load_pictures(
    folder: Path,
    items: Sequence[Item],
    spec: InputSpec,
    scratch: Path | None,
    name: str,
    progress: Progress | None,
) -> tuple[UInt8, list[Placement]]:
    """Pictures [N,h,w,3] by `spec`, read by several threads, and where each lies in its input."""
    shape = (len(items), spec.height, spec.width, 3)
    kept = scratch / f"{name}.pictures" if scratch and np.prod(shape) > IN_MEMORY else None
    if kept is not None and kept.is_file() and kept.stat().st_size == np.prod(shape):
        # Made by an earlier run of the same snapshot and recipe; only where they lie is missing.
        # Copied where written to, which nobody does: torch warns of memory that is read-only.
        pictures: UInt8 = np.memmap(kept, np.uint8, "c", shape=shape)
        return pictures, [placement(item.width, item.height, spec) for item in items]
    partial = kept.with_suffix(".partial") if kept else None
    with storage_errors(partial or folder):
        pictures = (
            np.memmap(partial, np.uint8, "w+", shape=shape)
            if partial
            else np.empty(shape, np.uint8)
        )

        def read(number: int) -> Placement:
            pictures[number], place = preprocess(load_picture(folder, items[number]), spec)
            return place

        places = []
        with ThreadPoolExecutor(cores()) as pool:
            try:
                for place in pool.map(read, range(len(items))):
                    places.append(place)
                    if progress:
                        progress(len(places), len(items), "reading pictures")
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        if partial and kept:
            partial.replace(kept)
    return pictures, places


def marks_of(
    items: Sequence[Item],
    places: Sequence[Placement],
    numbers: dict[str, int],
    distil: Distil,
) -> tuple[Marks, ...]:
    """The marks of each picture in pixels of the input."""
    found = []
    for item, place in zip(items, places, strict=True):
        labels = [label for label in item.labels if label.state != "rejected" and label.box]
        corners = np.array([label.box for label in labels], np.float32).reshape(-1, 4)
        scores = np.array([label.score for label in labels], np.float32)
        found.append(
            Marks(
                place.to_input(corners),
                np.array([numbers[label.class_] for label in labels], np.int64),
                scores**distil.weighting,
                1 - distil.soft * (1 - scores),
                np.array([label.ignore or label.state == "queued" for label in labels], np.bool_),
            )
        )
    return tuple(found)


def _classes(items: Sequence[Item], numbers: dict[str, int], distil: Distil) -> ClassTargets:
    """The first label that teaches; a picture without one has weight 0."""
    labels = torch.zeros(len(items), dtype=torch.int64)
    weights = torch.zeros(len(items))
    for i, item in enumerate(items):
        taught = next((label for label in item.labels if teaches(label)), None)
        if taught is not None:
            labels[i], weights[i] = numbers[taught.class_], taught.score**distil.weighting
    return ClassTargets(labels, weights)


def teaches(label: Label) -> bool:
    """Whether a label is one to learn from."""
    return label.state in ("accepted", "reviewed") and not label.ignore
