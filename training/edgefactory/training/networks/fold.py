"""A trained network with everything foldable folded into its convolutions."""

from __future__ import annotations

import copy
from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from edgefactory.training.networks.base import MIDDLE, SPREAD, Network
from edgefactory.training.networks.specialist import Detector


def folded(network: Network) -> Network:
    """An equal network in evaluation mode, batch normalisation folded where it follows directly.

    Our detector's first convolution has no padding, so that it also takes in the scaling of the
    grey levels; others have, and keep it.
    """
    copied = copy.deepcopy(network).eval()
    for module in list(copied.modules()):
        if isinstance(module, nn.Sequential):
            _fold_rows(module)
    if isinstance(copied, Detector):
        stem = copied.stem[0]
        assert isinstance(stem, nn.Conv2d)
        _take_in_levels(stem)
        copied.levels = nn.Identity()
    return copied


def _fold_rows(row: nn.Sequential) -> None:
    for place, (conv, norm) in enumerate(pairwise(list(row))):
        # timm's subclasses of a norm do more than normalise, so they stay.
        if isinstance(conv, nn.Conv2d) and type(norm) is nn.BatchNorm2d:
            row[place] = fuse_conv_bn_eval(conv, norm)
            row[place + 1] = nn.Identity()


@torch.no_grad()
def _take_in_levels(stem: nn.Conv2d) -> None:
    assert stem.bias is not None
    stem.weight /= SPREAD
    stem.bias -= MIDDLE * stem.weight.sum(dim=(1, 2, 3))
