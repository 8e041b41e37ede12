"""The average of a network's weights over the steps of a run, which is what the run keeps."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from edgefactory.training.networks import Network

_COUNT: Final = "n_averaged"  # as torch's AveragedModel calls it, whose state this reads and writes
_MODULE: Final = "module."


class Average:
    """The exponential moving average of the weights and statistics of `network`.

    `module` is the averaged network. torch's AveragedModel does the same and looks every tensor up
    at each step; a run's networks change their tensors in place, so that once is enough.
    """

    def __init__(self, network: Network, decay: float) -> None:
        """`network` lies on its device already. `decay`: what the decay of a step rises to."""
        self.module = copy.deepcopy(network)
        self._decay, self._steps = decay, 0
        pairs = list(zip(_tensors(self.module), _tensors(network), strict=True))
        moving = [pair for pair in pairs if pair[0].is_floating_point()]
        self._own, self._theirs = [own for own, _ in moving], [theirs for _, theirs in moving]
        self._counts = [pair for pair in pairs if not pair[0].is_floating_point()]

    def follow(self) -> None:
        """Move to the network, after a step of it.

        The decay begins small and rises to `decay` (as in TensorFlow's ExponentialMovingAverage
        with num_updates): else a short run's average is still what it was before it learned
        anything, and the variances of its norms, which begin at 1, make its answers worth nothing.
        """
        steps = self._steps
        decay = min(self._decay, (1 + steps) / (10 + steps)) if steps else 0.0
        move = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call] # torch has no hint
        move(self._own, self._theirs, steps)
        for own, theirs in self._counts:
            own.copy_(theirs)
        self._steps += 1

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs."""
        weights = {_MODULE + name: value for name, value in self.module.state_dict().items()}
        return {_COUNT: torch.tensor(self._steps), **weights}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a state."""
        self._steps = int(state[_COUNT])
        rest = {name: value for name, value in state.items() if name != _COUNT}
        self.module.load_state_dict({name.removeprefix(_MODULE): v for name, v in rest.items()})


def _tensors(network: Network) -> list[Tensor]:
    return [tensor.detach() for tensor in (*network.parameters(), *network.buffers())]
