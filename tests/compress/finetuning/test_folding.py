"""Folding norms changes nothing that a network says, and neither does taking them out again."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from edgefactory.compress.finetuning.folding import fold, unfold
from edgefactory.training import Recipe
from edgefactory.training.networks import Network, build

pytestmark = pytest.mark.component

MODELS = ["specialist", "torchvision/resnet18", "timm/mobilenetv3_small_050"]


def lively(model: str) -> Network:
    torch.manual_seed(1)
    recipe = Recipe(task="classification", model=model, resolution=(32, 32), width=16)
    network = build(recipe, 3).train()
    for _ in range(3):
        network(torch.rand(8, 3, 32, 32) * 255)
    return network.eval()


@pytest.mark.parametrize("model", MODELS)
@torch.no_grad()
def test_a_network_says_the_same_folded_and_unfolded(model: str) -> None:
    network, pixels = lively(model), torch.rand(2, 3, 32, 32) * 255
    folded = copy.deepcopy(network)
    pairs = fold(folded, pixels)
    assert pairs
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    torch.testing.assert_close(folded(pixels), network(pixels), rtol=1e-3, atol=1e-3)
    plain = copy.deepcopy(network)
    for value in plain.parameters():
        value.fill_(0.5)
    unfold(plain, folded, pairs)
    torch.testing.assert_close(plain(pixels), network(pixels), rtol=1e-3, atol=1e-3)
