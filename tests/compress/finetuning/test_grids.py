"""The grids are those of the portable form: symmetric, weights a channel, inputs a tensor."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edgefactory.compress.finetuning.grids import (
    Inputs,
    WeightGrid,
    best_range,
    lay_grids,
    lift_grids,
)
from edgefactory.training import Recipe
from edgefactory.training.networks import Network, build

pytestmark = pytest.mark.component


@pytest.fixture
def network() -> Network:
    """Its layers: blocks of a convolution, a norm and ReLU; the last is linear."""
    torch.manual_seed(0)
    return build(Recipe(task="classification", resolution=(16, 16), width=16), 2).eval()


def test_weights_have_255_levels_a_channel() -> None:
    weight = torch.randn(4, 3, 3, 3) * torch.tensor([1.0, 10.0, 0.1, 0.0])[:, None, None, None]
    rounded = WeightGrid(torch.ones(4))(weight)
    steps = weight.abs().flatten(1).amax(1) / 127
    numbers = rounded[:3] / steps[:3, None, None, None]
    torch.testing.assert_close(numbers, numbers.round(), rtol=0, atol=1e-3)
    assert (rounded - weight).abs().flatten(1).amax(1).le(steps / 2 + 1e-6).all()
    assert not rounded[3].any()


def test_a_rare_large_value_does_not_take_all_levels() -> None:
    values = torch.cat((torch.rand(10_000), torch.tensor([2.0])))
    assert best_range(torch.rand(10_000), 1.0) == pytest.approx(1.0, abs=0.05)
    assert best_range(values, 2.0) < 2.0


def test_the_bytes_are_held_without_loss(network: Network) -> None:
    with Inputs(network) as inputs:
        inputs.look(torch.randint(0, 256, (2, 3, 16, 16)).float())
    first = next(name for name, m in network.named_modules() if isinstance(m, nn.Conv2d))
    assert inputs.bytes == {first: 1 / 64}
    assert first not in inputs.ranges()


def test_layers_that_read_one_tensor_share_its_range() -> None:
    recipe = Recipe(resolution=(48, 32), width=16, detections=8)
    detector = build(recipe, 1).eval()
    with Inputs(detector) as inputs:
        inputs.look(torch.rand(1, 3, 32, 48) * 255)
    ranges = inputs.ranges()
    assert ranges["heat"] == ranges["reach"]


def test_grids_are_lifted_without_a_trace(network: Network) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    pixels = torch.rand(2, 3, 16, 16) * 255
    said = network(pixels)
    with Inputs(network) as inputs:
        inputs.look(pixels)
    lay_grids(network, inputs.ranges(), tuple(inputs.bytes.items()))
    assert not torch.equal(network(pixels), said)
    lift_grids(network)
    assert network.state_dict().keys() == before.keys()
    assert torch.equal(network(pixels), said)
