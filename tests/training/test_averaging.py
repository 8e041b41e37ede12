"""The averaged weights are those of torch's AveragedModel, and go on where they were kept."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from edgefactory.training import Recipe
from edgefactory.training.averaging import Average
from edgefactory.training.networks import Network, build

RECIPE = Recipe(task="classification", resolution=(16, 16), width=16)
EMA = 0.5


def network() -> Network:
    torch.manual_seed(0)
    return build(RECIPE, 2).train()


def step(learning: Network, seed: int) -> None:
    """Other weights, and other statistics of the norms."""
    chance = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        learning(255 * torch.rand(4, 3, 16, 16, generator=chance))
        for weight in learning.parameters():
            weight.add_(torch.rand(weight.shape, generator=chance))


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(a.state_dict()[name], value) for name, value in b.state_dict().items())


def test_the_first_step_is_taken_whole_and_the_decay_rises_to_its_own() -> None:
    learning = network()
    ours = Average(learning, EMA)
    for number in range(20):
        before = {name: value.clone() for name, value in ours.module.named_parameters()}
        step(learning, number)
        ours.follow()
        decay = 0.0 if number == 0 else min(EMA, (1 + number) / (10 + number))
        for name, now in learning.named_parameters():
            wanted = decay * before[name] + (1 - decay) * now
            found = ours.module.get_parameter(name)
            torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kept_after", [0, 1, 3])
def test_a_kept_average_goes_on_as_if_nothing_had_happened(kept_after: int) -> None:
    learning = network()
    ours = Average(learning, EMA)
    for number in range(kept_after):
        step(learning, number)
        ours.follow()
    again = Average(learning, EMA)
    again.load_state_dict({name: value.clone() for name, value in ours.state_dict().items()})
    step(learning, 9)
    ours.follow()
    again.follow()
    assert same(ours.module, again.module)


def test_what_an_earlier_version_kept_is_taken_up() -> None:
    """It used torch's AveragedModel."""
    learning = network()
    theirs = AveragedModel(
        learning,
        multi_avg_fn=get_ema_multi_avg_fn(EMA),  # type: ignore[no-untyped-call] # torch has no hint
        use_buffers=True,
    )
    for number in range(3):
        step(learning, number)
        theirs.update_parameters(learning)
    ours = Average(learning, EMA)
    ours.load_state_dict(theirs.state_dict())
    assert same(ours.module, theirs.module)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
