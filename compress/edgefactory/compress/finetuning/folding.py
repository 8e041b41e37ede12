"""Batch normalisation folded into the convolutions before it, and taken out of them again."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from edgefactory.training.networks import Network


class Folded(NamedTuple):
    """Names of a convolution and of the norm that was folded into it."""

    conv: str
    norm: str


def fold(network: Network, picture: Tensor) -> tuple[Folded, ...]:
    """Fold each norm that reads what a convolution has just made, in place, as the export does.

    Found by a trial run on `picture`, so it does not matter how the network is written down.
    """
    pairs = tuple(_pairs(network, picture))
    for pair in pairs:
        conv, norm = network.get_submodule(pair.conv), network.get_submodule(pair.norm)
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        conv.weight, conv.bias = fuse_conv_bn_weights(
            conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight,
            norm.bias,
        )  # fmt: skip
        # timm's norms are followed by an activation of their own.
        rest = [part for part in norm.children() if not isinstance(part, nn.Identity)]
        _replace(network, pair.norm, nn.Sequential(*rest))
    return pairs


@torch.no_grad()
def unfold(plain: Network, folded: Network, pairs: tuple[Folded, ...]) -> None:
    """Give `plain`, of the same kind but with its norms, what `folded` has learned, in place.

    A norm becomes one that adds the bias and does nothing else.
    """
    state = folded.state_dict()
    for pair in pairs:
        conv, norm = plain.get_submodule(pair.conv), plain.get_submodule(pair.norm)
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.weight.fill_(1.0)
        norm.bias.copy_(state.pop(f"{pair.conv}.bias"))
        norm.running_mean.zero_()
        norm.running_var.fill_(1.0 - norm.eps)
        if conv.bias is not None:
            conv.bias.zero_()
    plain.load_state_dict(state, strict=False)


def _pairs(network: Network, picture: Tensor) -> list[Folded]:
    made: list[tuple[Tensor, int, str]] = []  # kept, so that no other tensor takes its place
    found: dict[str, Folded] = {}
    handles = []
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):

            def after(_m: nn.Module, _i: object, out: Tensor, name: str = name) -> None:
                made.append((out, out._version, name))

            handles.append(module.register_forward_hook(after))
        elif isinstance(module, nn.BatchNorm2d) and module.affine and module.track_running_stats:

            def before(_m: nn.Module, given: tuple[Tensor, ...], name: str = name) -> None:
                for out, version, conv in made:
                    if out is given[0] and out._version == version:
                        found[name] = Folded(conv, name)

            handles.append(module.register_forward_pre_hook(before))
    with torch.no_grad():
        network.eval()(picture)
    for handle in handles:
        handle.remove()
    times = [conv for _, _, conv in made]
    return [pair for pair in found.values() if times.count(pair.conv) == 1]


def _replace(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(network.get_submodule(parent), last, module)
