"""A trained network with everything foldable folded into its convolutions."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from edgefactory.training.network import MIDDLE, SPREAD, Detector, Network


def folded(network: Network) -> Network:
    """An equal network in evaluation mode without batch normalisation.

    A detector's first convolution has no padding, so that it also takes in the scaling of the
    grey levels; a classifier's has, and keeps it.
    """
    copied = copy.deepcopy(network).eval()
    for module in list(copied.modules()):
        if isinstance(module, nn.Sequential) and len(module) == 3:
            conv, norm, _ = module
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                module[0] = fuse_conv_bn_eval(conv, norm)
                module[1] = nn.Identity()
    if isinstance(copied, Detector):
        stem = copied.stem[0]
        assert isinstance(stem, nn.Conv2d)
        _take_in_levels(stem)
        copied.levels = nn.Identity()
    return copied


@torch.no_grad()
def _take_in_levels(stem: nn.Conv2d) -> None:
    assert stem.bias is not None
    stem.weight /= SPREAD
    stem.bias -= MIDDLE * stem.weight.sum(dim=(1, 2, 3))
