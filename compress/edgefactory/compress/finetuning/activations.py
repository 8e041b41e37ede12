"""Hardswish and SiLU become ReLU, for engines that pay for them."""

from __future__ import annotations

from msgspec.structs import replace

from edgefactory.compress.finetuning.job import changes_of, opened
from edgefactory.datasets import Progress
from edgefactory.datasets.errors import InputError
from edgefactory.training import Checkpoint
from edgefactory.training.finetuning import Change, Finetuning, finetune
from edgefactory.training.networks import Network, swap_activations


def use_relu(job: Finetuning, progress: Progress | None = None) -> Checkpoint:
    """The job's checkpoint with ReLU for each Hardswish and SiLU, trained again.

    Raises InputError where there is none, and what `finetune` raises.
    """
    before = opened(job)
    if not swap_activations(before.network()):
        raise InputError(
            f"{job.checkpoint}: {before.recipe.model} has no layer of Hardswish or SiLU; there is "
            "nothing to put ReLU in the place of"
        )
    said = replace(changes_of(before), activation="relu")
    return finetune(job, Change(_swapped, said), progress)


def _swapped(network: Network) -> Network:
    swap_activations(network)
    return network
