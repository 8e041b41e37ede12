"""What every network of ours is: raw output, what it costs against targets, and its decisions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Final

import torch
from torch import Tensor, nn

MIDDLE: Final = 128.0  # grey level that becomes 0
SPREAD: Final = 64.0  # grey levels that become 1


class Network(nn.Module, ABC):
    """Takes grey levels 0..255 as float [N,3,H,W], so that the edge feeds bytes.

    `forward` gives the raw output, of a kind that only the network itself knows. `ignores` is
    whether its loss leaves ignore regions out by itself.
    """

    ignores = True

    @abstractmethod
    def loss(self, raw: Any, targets: Any) -> Tensor:
        """What the raw output of a batch costs against its targets: a scalar."""

    @abstractmethod
    def agreement(self, raw: Any, reference: Any) -> Tensor:
        """What it costs to differ from another raw output for the same pictures: a scalar.

        The reference is taken as it is: no gradient flows into it.
        """

    @abstractmethod
    def decisions(self, raw: Any) -> tuple[Tensor, ...]:
        """The raw output as the graph contract has it, in the order of the output's names."""

    def decide(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """The decisions about pixels, as a graph computes them; perhaps by a shorter way."""
        return self.decisions(self(pixels))


class Graph(nn.Module):
    """The network by the graph contract: uint8 [N,H,W,3] in, decisions out."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Decisions about a batch of pictures."""
        return self.network.decide(image.permute(0, 3, 1, 2).float())


class Levels(nn.Module):
    """Grey levels 0..255 to numbers around 0: (pixels - middle) / spread, a channel each."""

    def __init__(
        self,
        middle: tuple[float, float, float] = (MIDDLE, MIDDLE, MIDDLE),
        spread: tuple[float, float, float] = (SPREAD, SPREAD, SPREAD),
    ) -> None:
        super().__init__()
        self.alike = len({*middle}) == len({*spread}) == 1
        self.middle, self.spread = middle, spread
        self.register_buffer("scale", torch.tensor([1 / s for s in spread]), persistent=False)
        self.register_buffer("zero", torch.tensor(middle), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """The numbers, float [N,3,H,W]."""
        if self.alike:
            return (pixels - self.middle[0]) * (1.0 / self.spread[0])
        assert isinstance(self.scale, Tensor)
        assert isinstance(self.zero, Tensor)
        return (pixels - self.zero[:, None, None]) * self.scale[:, None, None]
