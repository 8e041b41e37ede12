"""Checkpoints of networks with lively weights and running statistics, that learned nothing yet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from edgefactory.compress.finetuning import Finetuning
from edgefactory.datasets import read_snapshot, snapshot_digest
from edgefactory.training import Recipe
from edgefactory.training.checkpoint import Metrics, TrainingLineage, write_checkpoint
from edgefactory.training.networks import Network, build

MakeJob = Callable[..., Finetuning]

LIVELY = 3  # batches that running statistics are of


def lively(recipe: Recipe, classes: int) -> Network:
    """The same weights every time."""
    torch.manual_seed(1)
    network = build(recipe, classes).train()
    width, height = recipe.resolution
    for _ in range(LIVELY):
        network(torch.rand(8, 3, height, width) * 255)
    return network.eval()


def write_lively(folder: Path, recipe: Recipe, snapshot: Path) -> Path:
    """A checkpoint that says it was trained on the snapshot."""
    classes = read_snapshot(snapshot).classes
    lineage = TrainingLineage(
        schema="lineage/1",
        git_commit=None,
        snapshot_sha256=snapshot_digest(snapshot),
        teacher_sha256=None,
        classes=classes,
        seed=0,
        recipe=recipe,
        parameters=1,
        versions={},
    )
    folder.mkdir()
    state = lively(recipe, len(classes)).state_dict()
    write_checkpoint(folder, state, Metrics("metrics/1", "ap50", (), None, 0.0), lineage)
    return folder


@pytest.fixture
def job(snapshot: Path, digits: Path, tmp_path: Path) -> MakeJob:
    """A fine-tuning of one epoch for the recipe, on the small snapshot of its task."""

    def make(recipe: Recipe, epochs: int = 1) -> Finetuning:
        data = snapshot if recipe.task == "detection" else digits
        folder = write_lively(tmp_path / "before", recipe, data)
        return Finetuning(folder, data, tmp_path / "after", tmp_path / "scratch", epochs=epochs)

    return make
