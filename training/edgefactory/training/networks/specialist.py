"""Our own detector, of any width, depth and resolution: small enough to learn one scene."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from edgefactory.training.networks.base import Levels, Network
from edgefactory.training.networks.blocks import bias_of, block, blocks
from edgefactory.training.networks.decode import decode, decode_folded
from edgefactory.training.networks.heat_loss import agreement_loss, detection_loss
from edgefactory.training.networks.maps import RARE, Maps
from edgefactory.training.targets import Targets


class Detector(Network):
    """Patches of 4x4 pixels, convolutions at strides 8 and 16, and heads unfolded to stride 4.

    A head predicts four sub-cells for each of its own cells (sub-pixel convolution, Shi et al.
    2016, section 3.2), so that people who stand close together keep separate peaks at the price
    of stride 8.
    """

    def __init__(self, classes: int, width: int, depth: int, detections: int) -> None:
        super().__init__()
        deep = 2 * width
        self.detections = detections
        self.levels: nn.Module = Levels()
        self.stem = block(3, width // 2, kernel=4, stride=4)
        self.down = block(width // 2, width, stride=2)
        self.near = blocks(width, depth)
        self.deeper = block(width, deep, stride=2)
        self.far = blocks(deep, depth)
        self.back = nn.Conv2d(deep, width, 1)
        self.merged = blocks(width, 1)
        self.heat = nn.Conv2d(width, 4 * classes, 1)
        self.reach = nn.Conv2d(width, 16, 1)
        nn.init.constant_(bias_of(self.heat), RARE)
        nn.init.constant_(bias_of(self.reach), 1.0)

    def forward(self, pixels: Tensor) -> Maps:
        """Raw output for pixels [N,3,H,W], float grey levels; H and W are multiples of 16."""
        heat, reach = self._heads(pixels)
        return Maps(F.pixel_shuffle(heat, 2), F.pixel_shuffle(reach, 2))

    def _heads(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Heat [N,4C,h,w] and reach [N,16,h,w] at stride 8, four sub-cells a cell."""
        near = self.near(self.down(self.stem(self.levels(pixels))))
        far = self.back(self.far(self.deeper(near)))
        merged = self.merged(F.relu(near + F.interpolate(far, scale_factor=2.0, mode="nearest")))
        return self.heat(merged), self.reach(merged)

    def loss(self, raw: Maps, targets: Targets) -> Tensor:
        """See `Network`."""
        return detection_loss(raw, targets)

    def agreement(self, raw: Maps, reference: Maps) -> Tensor:
        """See `Network`."""
        return agreement_loss(raw, reference)

    def decisions(self, raw: Maps) -> tuple[Tensor, Tensor, Tensor]:
        """See `Network`."""
        return decode(raw, self.detections)

    def decide(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See `Network`; without unfolding the reach of cells where nobody is."""
        heat, reach = self._heads(pixels)
        return decode_folded(F.pixel_shuffle(heat, 2), reach, self.detections)
