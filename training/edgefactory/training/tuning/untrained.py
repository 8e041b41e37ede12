"""An architecture as a checkpoint, before anything is learned: to be exported and measured."""

from __future__ import annotations

from pathlib import Path

import torch

from edge_runtime.contract import Signal
from edgefactory.datasets.errors import InputError
from edgefactory.training.checkpoint import (
    METRICS_OF,
    Metrics,
    TrainingLineage,
    write_checkpoint,
)
from edgefactory.training.networks import build
from edgefactory.training.recipe import Recipe

_NO_SNAPSHOT = "0" * 64


def write_untrained(
    recipe: Recipe, classes: tuple[str, ...], signal: Signal | None, folder: Path
) -> None:
    """Fill the new folder with the checkpoint of a network that nobody has trained.

    Its weights depend on the recipe's architecture and seed alone. Raises InputError for an
    architecture that cannot be built, MissingError where its library is not installed.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        try:
            network = build(recipe, len(classes))
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:160]
            raise InputError(f"{recipe.model} cannot be built so: {reason}") from error
    metrics = Metrics(
        schema="metrics/1", metric=METRICS_OF[recipe.task], epochs=(), final=None, seconds=0.0
    )
    lineage = TrainingLineage(
        schema="lineage/1",
        git_commit=None,
        snapshot_sha256=_NO_SNAPSHOT,
        teacher_sha256=None,
        classes=classes,
        seed=recipe.seed,
        recipe=recipe,
        parameters=sum(weight.numel() for weight in network.parameters()),
        versions={},
        signal=signal,
    )
    folder.mkdir()
    write_checkpoint(folder, network.state_dict(), metrics, lineage)
