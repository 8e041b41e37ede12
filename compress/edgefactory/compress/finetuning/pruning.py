"""Whole channels that matter least fall, until a share of the multiply-accumulates is left.

Which layers' channels hang together, and the importance of each group (the mean magnitude of all
weights that would fall, against its layer's mean; DepGraph, Fang et al. 2023, section 3.3), is
torch-pruning's to find. Widths stay multiples of 8, which is what engines compute at once.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import torch
from msgspec.structs import replace
from torch import Tensor, nn

from edgefactory.compress.finetuning.job import changes_of, opened
from edgefactory.datasets import Progress
from edgefactory.datasets.errors import InputError
from edgefactory.training import Checkpoint
from edgefactory.training.finetuning import Change, Finetuning, finetune
from edgefactory.training.networks import Network, build, change

_STEPS: Final = 100  # in which all but _LEAST_LEFT of each layer could fall
_LEAST_LEFT: Final = 0.1  # of a layer's channels
_MULTIPLE: Final = 8
# What torch-pruning raises of networks that it cannot follow; it has no kind of its own.
_REFUSALS: Final = (
    ArithmeticError, AssertionError, AttributeError, LookupError, NotImplementedError,
    RuntimeError, TypeError, ValueError,
)  # fmt: skip


def prune(job: Finetuning, macs_share: float, progress: Progress | None = None) -> Checkpoint:
    """The job's checkpoint with at most `macs_share` of its multiply-accumulates, trained again.

    Raises InputError for a share that is not between 0 and 1 or cannot be reached, or a network
    whose layers cannot be followed, and what `finetune` raises.
    """
    if not 0.0 < macs_share < 1.0:
        raise InputError(f"a share of {macs_share} is to be left; expected one between 0 and 1")
    before = opened(job)
    if progress:
        progress(0, 0, "pruning")
    size = before.recipe.resolution
    try:
        pruned = _pruned(macs_share, size, before.network())
        _check_found_again(before, pruned)
    except _REFUSALS as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            f"{job.checkpoint}: {before.recipe.model} cannot be pruned ({reason or type(error)}); "
            "take a convolutional network, or leave it as it is"
        ) from error
    left = macs(pruned, size) / macs(before.network(), size)
    if left > macs_share:
        raise InputError(
            f"{job.checkpoint}: pruning leaves {left:.2f} of the multiply-accumulates at the "
            f"least, {macs_share} were asked for; ask for more"
        )
    if job.learning_rate is None:  # what has fallen is a lot to make up for
        job = dataclasses.replace(job, learning_rate=before.recipe.learning_rate)
    said = changes_of(before)
    said = replace(said, macs_share=said.macs_share * left)
    return finetune(job, Change(partial(_pruned, macs_share, size), said), progress)


def macs(network: Network, size: tuple[int, int]) -> int:
    """Multiply-accumulates of a picture of `size` (width, height)."""
    import torch_pruning

    count, _ = torch_pruning.utils.count_ops_and_params(network, _picture(size))
    return int(count)


def _pruned(macs_share: float, size: tuple[int, int], network: Network) -> Network:
    """The network, changed in place: one step after the other, until the share is reached."""
    import torch_pruning

    network.eval()
    picture, whole = _picture(size), macs(network, size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of parameters outside of layers, which it takes along
        pruner = torch_pruning.pruner.BasePruner(
            network,
            picture,
            importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
            global_pruning=True,
            pruning_ratio=1 - _LEAST_LEFT,
            max_pruning_ratio=1 - _LEAST_LEFT,
            iterative_steps=_STEPS,
            ignored_layers=_last_layers(network, picture),
            round_to=_MULTIPLE,
            output_transform=_flat,
        )
        for _ in range(_STEPS):
            pruner.step()
            if macs(network, size) <= macs_share * whole:
                break
    network.zero_grad()
    return network


def _last_layers(network: Network, picture: Tensor) -> list[nn.Module]:
    """The layers after which there is no other: their channels are the network's answers."""
    import torch_pruning

    graph = torch_pruning.DependencyGraph()
    graph.build_dependency(network, example_inputs=picture, output_transform=_flat)
    layers = {m for m in graph.module2node if isinstance(m, (nn.Conv2d, nn.Linear))}
    return [m for m in layers if not any(node.module in layers for node in _after(graph, m))]


def _after(graph: Any, layer: nn.Module) -> Iterator[Any]:
    """All nodes that follow a layer's."""
    seen: set[Any] = set()
    waiting = list(graph.module2node[layer].outputs)
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting += node.outputs
            yield node


def _flat(answers: Any) -> list[Tensor]:
    """The tensors in a network's raw output."""
    if isinstance(answers, Tensor):
        return [answers]
    return [tensor for part in answers if part is not None for tensor in _flat(part)]


def _picture(size: tuple[int, int]) -> Tensor:
    width, height = size
    return torch.zeros(1, 3, height, width)


def _check_found_again(before: Checkpoint, pruned: Network) -> None:
    """Raise ValueError unless the widths alone give the same network back."""
    weights = pruned.state_dict()
    again = build(before.recipe, len(before.classes))
    change(again, replace(changes_of(before), macs_share=0.5), weights)
    again.load_state_dict(weights)
    picture = torch.rand(1, 3, *before.recipe.resolution[::-1]) * 255
    with torch.no_grad():
        pairs = zip(_flat(pruned.eval()(picture)), _flat(again.eval()(picture)), strict=True)
        if not all(torch.allclose(a, b, rtol=1e-3, atol=1e-3) for a, b in pairs):
            raise ValueError("its layers' widths alone do not say what is left of it")
