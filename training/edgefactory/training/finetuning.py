"""A trained network that was changed learns again, taught by the network that it was.

Pruning, other activations and training for INT8 are such changes. The labels and the unchanged
network's answers to the very same pictures each make a share of the loss (distillation; Hinton et
al. 2015).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from edgefactory.datasets import Progress
from edgefactory.training.changes import Changes
from edgefactory.training.checkpoint import Checkpoint, load_checkpoint
from edgefactory.training.networks import Network
from edgefactory.training.recipe import Distil, Recipe
from edgefactory.training.run import Begun
from edgefactory.training.trainer import Places, Plan, as_it_is, carry_out
from edgefactory.training.weights import Start

_EPOCHS: Final = 1 / 3  # of the first training's
_RATE: Final = 1 / 4  # of the first training's learning rate


@dataclass(frozen=True)
class Finetuning:
    """What learns again, from what, and where to.

    `checkpoint` was trained on `snapshot`; the new one appears at `out`, and a run that was killed
    goes on from `scratch`. `epochs` and `learning_rate` follow from the checkpoint's recipe where
    they are None. `follow` is the share of the loss that follows the unchanged network, 0..1.
    """

    checkpoint: Path
    snapshot: Path
    out: Path
    scratch: Path
    epochs: int | None = None
    learning_rate: float | None = None
    follow: float = 0.5


@dataclass(frozen=True)
class Change:
    """What is done to a network.

    `make` gives the network that learns, for a trained one that is its own to change; `end` what
    is kept of it; `said` is for the lineage. The functions are picklable.
    """

    make: Callable[[Network], Network]
    said: Changes
    end: Callable[[Network], Network] = as_it_is


def finetune(job: Finetuning, change: Change, progress: Progress | None = None) -> Checkpoint:
    """Write the checkpoint of the changed network at `job.out`.

    Its val figures are those of the network that learns: of the quantized one, where it learns to
    be quantized. Raises what `train` raises.
    """
    recipe = recipe_after(load_checkpoint(job.checkpoint).recipe, job)
    plan = Plan(recipe, partial(_begun, job, change.make), change.end, change.said)
    return carry_out(plan, Places(job.snapshot, job.out, job.scratch, None), progress)


def recipe_after(recipe: Recipe, job: Finetuning) -> Recipe:
    """The recipe of learning again: shorter and gentler, and with no other teacher."""
    soft = recipe.distil.soft if recipe.task == "detection" else 0.0  # there: the labels' scores
    return msgspec.structs.replace(
        recipe,
        weights="none",
        epochs=job.epochs or max(1, round(recipe.epochs * _EPOCHS)),
        learning_rate=job.learning_rate or recipe.learning_rate * _RATE,
        distil=Distil(weighting=recipe.distil.weighting, soft=soft),
    )


def _begun(
    job: Finetuning,
    make: Callable[[Network], Network],
    _recipe: Recipe,
    _classes: tuple[str, ...],
) -> Begun:
    before = load_checkpoint(job.checkpoint)
    start = Start(f"starts from {job.checkpoint}, changed", before.sha256)
    network = make(before.network()).train()
    return Begun(network, start, before.network().requires_grad_(False), job.follow)
