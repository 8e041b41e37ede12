"""A changed checkpoint's network is found again from its recipe, its changes and its weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edgefactory.training import Recipe
from edgefactory.training.changes import Changes
from edgefactory.training.networks import Network, build, change, swap_activations

pytestmark = pytest.mark.component

PRUNED = Changes("0" * 64, macs_share=0.5)


def made(**keys: object) -> Network:
    torch.manual_seed(2)
    return build(Recipe(**keys), 3).eval()  # type: ignore[arg-type] # of several types


@pytest.mark.parametrize(
    ("wide", "thin"),
    [
        ({"width": 32}, {"width": 16}),
        (
            {"task": "classification", "model": "timm/mobilenetv3_small_100"},
            {"task": "classification", "model": "timm/mobilenetv3_small_075"},
        ),
    ],
)
@torch.no_grad()
def test_widths_follow_from_the_weights(wide: dict[str, object], thin: dict[str, object]) -> None:
    size = {"resolution": (64, 64)}
    network, other = made(**wide, **size), made(**thin, **size)
    change(network, PRUNED, other.state_dict())
    network.load_state_dict(other.state_dict())
    pixels = torch.rand(2, 3, 64, 64) * 255
    torch.testing.assert_close(network(pixels), other(pixels))


def test_without_changes_other_widths_are_a_mistake() -> None:
    network = made(width=32)
    change(network, Changes("0" * 64), made(width=16).state_dict())
    with pytest.raises(RuntimeError, match="size mismatch"):
        network.load_state_dict(made(width=16).state_dict())


def test_costly_activations_become_relu() -> None:
    network = made(task="classification", model="torchvision/mobilenet_v3_small")
    assert swap_activations(network) == 19
    assert not any(isinstance(module, nn.Hardswish) for module in network.modules())
    assert swap_activations(network) == 0
