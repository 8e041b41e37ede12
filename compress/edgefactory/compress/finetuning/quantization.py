"""A network learns to be quantized: what it loses by INT8 it gets back before it is quantized.

The checkpoint has the same layers as before, so everything takes it; its lineage carries the ranges
that the network has learned to live with, and `quantize_portable` sets them.
"""

from __future__ import annotations

import copy
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from msgspec.structs import replace

from edgefactory.compress.conversion import calibration
from edgefactory.compress.finetuning.folding import Folded, fold, unfold
from edgefactory.compress.finetuning.grids import Inputs, lay_grids, lift_grids
from edgefactory.compress.finetuning.job import changes_of, opened
from edgefactory.datasets import Progress, read_snapshot
from edgefactory.datasets.errors import InputError
from edgefactory.training import Checkpoint, load_checkpoint
from edgefactory.training.finetuning import Change, Finetuning, finetune
from edgefactory.training.networks import Network

UInt8 = npt.NDArray[np.uint8]

_PICTURES: Final = 64  # that ranges are chosen by
_AT_ONCE: Final = 8


def train_quantized(job: Finetuning, progress: Progress | None = None) -> Checkpoint:
    """The job's checkpoint, trained again for the portable INT8 form.

    Its val figures are those of the quantized network. Raises InputError for a snapshot without
    pictures to learn from, and what `finetune` raises.
    """
    before = opened(job)
    pictures = calibration(_PICTURES, before, read_snapshot(job.snapshot), job.snapshot)
    if not pictures:
        raise InputError(f"{job.snapshot} has no pictures to train on; expected a train split")
    if progress:
        progress(0, 0, "choosing ranges")
    network = before.network()
    pairs = fold(network, _pixels(pictures[:1]))
    with Inputs(network) as inputs:
        for at in range(0, len(pictures), _AT_ONCE):
            inputs.look(_pixels(pictures[at : at + _AT_ONCE]))
    ranges = inputs.ranges()
    make = partial(_on_grids, ranges, tuple(inputs.bytes.items()), before.recipe.resolution)
    change = Change(
        make, replace(changes_of(before), ranges=ranges), partial(_plain, job.checkpoint, pairs)
    )
    return finetune(job, change, progress)


def _on_grids(
    ranges: dict[str, float],
    of_bytes: tuple[tuple[str, float], ...],
    size: tuple[int, int],
    network: Network,
) -> Network:
    fold(network, torch.zeros(1, 3, size[1], size[0]))
    lay_grids(network, ranges, of_bytes)
    return network


def _plain(checkpoint: Path, pairs: tuple[Folded, ...], network: Network) -> Network:
    """The network without grids, with the norms that the checkpoint's has."""
    folded = copy.deepcopy(network)
    lift_grids(folded)
    plain = load_checkpoint(checkpoint).network()
    unfold(plain, folded, pairs)
    return plain


def _pixels(pictures: list[UInt8]) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float()
