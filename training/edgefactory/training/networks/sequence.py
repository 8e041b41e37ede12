"""Our own network for sequences: a picture with one column a time step, one row a feature."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from edgefactory.training.networks.base import Levels
from edgefactory.training.networks.blocks import block


class SequenceTrunk(nn.Module):
    """Convolutions over time alone, in which each feature is a channel: [N,3,F,T] -> [N,2*width].

    As TC-ResNet (Choi et al. 2019, section 2.2): from its first layer on every neuron sees all
    features, and the arithmetic is small. `depth` residual blocks, each of which halves the time.
    """

    def __init__(self, features: int, width: int, depth: int) -> None:
        super().__init__()
        self.levels: nn.Module = Levels()
        self.stem = block(features, width, kernel=(1, 3))
        widths = [width] + [2 * width] * depth
        self.steps = nn.ModuleList(_Step(before, after) for before, after in pairwise(widths))

    def forward(self, pixels: Tensor) -> Tensor:
        """What is heard in pixels [N,3,F,T], float grey levels; the three channels are alike."""
        found: Tensor = self.stem(self.levels(pixels)[:, :1].transpose(1, 2))  # [N,F,1,T]
        for step in self.steps:
            found = step(found)
        return found.mean(dim=(2, 3))


class _Step(nn.Module):
    """Two convolutions of nine steps and a shortcut; halves the time."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.first = block(before, after, kernel=(1, 9), stride=(1, 2))
        self.second = nn.Sequential(
            nn.Conv2d(after, after, (1, 9), padding=(0, 4), bias=False), nn.BatchNorm2d(after)
        )
        self.short = block(before, after, kernel=(1, 1), stride=(1, 2))
        self.end = nn.ReLU(inplace=True)

    def forward(self, found: Tensor) -> Tensor:
        joined: Tensor = self.end(self.second(self.first(found)) + self.short(found))
        return joined
