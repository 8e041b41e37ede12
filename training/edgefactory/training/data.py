"""A snapshot in memory: every picture at the network's resolution as bytes, with its targets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from edge_runtime.contract import Placement, preprocess
from edgefactory.datasets import Item, Label, Snapshot, Split, load_picture
from edgefactory.datasets.errors import InputError
from edgefactory.training.checkpoint import input_spec
from edgefactory.training.loss import ClassTargets, Targets
from edgefactory.training.metrics import Truth
from edgefactory.training.recipe import Recipe

MAX_BYTES = 8 << 30  # pictures are held in memory


@dataclass(frozen=True)
class Examples:
    """N pictures uint8 [N,H,W,3] RGB, exactly as the edge will feed them, and their targets."""

    pictures: Tensor
    targets: Targets | ClassTargets

    def __len__(self) -> int:
        return len(self.pictures)

    def truths(self) -> list[Truth]:
        """The boxes of each picture in pixels of the input, for the metrics; detection only."""
        targets = self.targets
        assert isinstance(targets, Targets)
        real = targets.weights > 0
        return [
            Truth(
                targets.boxes[i][real[i]].double().numpy(),
                targets.labels[i][real[i]].numpy(),
                targets.ignore[i][real[i]].numpy(),
            )
            for i in range(len(self))
        ]


def load_examples(
    folder: Path, snapshot: Snapshot, split: Split, recipe: Recipe
) -> Examples | None:
    """The pictures of one split, or None if it has none.

    Accepted and reviewed labels teach; queued ones, and those marked so, are ignore regions;
    rejected ones count as background. Raises InputError if the task is another than the recipe's
    or the pictures do not fit into memory.
    """
    if snapshot.task != recipe.task:
        raise InputError(
            f"{folder} is a snapshot for {snapshot.task}, the recipe's task is {recipe.task}; "
            "they must be the same"
        )
    items = snapshot.split(split)
    width, height = recipe.resolution
    needed = len(items) * width * height * 3
    if needed > MAX_BYTES:
        raise InputError(
            f"{len(items)} pictures of {width}x{height} need {needed >> 30} GiB of memory, "
            f"expected at most {MAX_BYTES >> 30}; take fewer pictures or a lower resolution"
        )
    if not items:
        return None
    spec = input_spec(recipe)
    pictures = np.empty((len(items), height, width, 3), dtype=np.uint8)
    places = []
    for index, item in enumerate(items):
        pictures[index], place = preprocess(load_picture(folder, item), spec)
        places.append(place)
    numbers = {name: number for number, name in enumerate(snapshot.classes)}
    targets = (
        _boxes(items, places, numbers) if recipe.task == "detection" else _classes(items, numbers)
    )
    return Examples(torch.from_numpy(pictures), targets)


def epoch_batches(count: int, batch: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Indices of an epoch's batches, shuffled; the rest that fills no batch is left out."""
    order = torch.randperm(count, generator=generator)
    size = min(batch, count)
    for start in range(0, count - size + 1, size):
        yield order[start : start + size]


def batches_an_epoch(count: int, batch: int) -> int:
    """How many batches `epoch_batches` yields."""
    return count // min(batch, count)


def _boxes(items: tuple[Item, ...], places: list[Placement], numbers: dict[str, int]) -> Targets:
    kept = [[label for label in item.labels if label.state != "rejected"] for item in items]
    most = max(1, *(len(labels) for labels in kept))
    targets = Targets(
        boxes=torch.zeros(len(items), most, 4),
        labels=torch.zeros(len(items), most, dtype=torch.int64),
        weights=torch.zeros(len(items), most),
        ignore=torch.zeros(len(items), most, dtype=torch.bool),
    )
    for i, (labels, place) in enumerate(zip(kept, places, strict=True)):
        corners = np.array([label.box for label in labels], np.float32).reshape(-1, 4)
        targets.boxes[i, : len(labels)] = torch.from_numpy(place.to_input(corners))
        for j, label in enumerate(labels):
            targets.labels[i, j] = numbers[label.class_]
            targets.weights[i, j] = 1.0
            targets.ignore[i, j] = label.ignore or label.state == "queued"
    return targets


def _classes(items: tuple[Item, ...], numbers: dict[str, int]) -> ClassTargets:
    """The first label that teaches; a picture without one has weight 0."""
    labels = torch.zeros(len(items), dtype=torch.int64)
    weights = torch.zeros(len(items))
    for i, item in enumerate(items):
        taught = next((label for label in item.labels if _teaches(label)), None)
        if taught is not None:
            labels[i], weights[i] = numbers[taught.class_], 1.0
    return ClassTargets(labels, weights)


def _teaches(label: Label) -> bool:
    return label.state in ("accepted", "reviewed") and not label.ignore
