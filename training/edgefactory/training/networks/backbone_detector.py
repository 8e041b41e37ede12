"""A detector on the feature maps of a torchvision or timm network, with our heads."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from edgefactory.training.networks.backbones import Pyramid
from edgefactory.training.networks.base import Network
from edgefactory.training.networks.blocks import bias_of, blocks
from edgefactory.training.networks.decode import decode, decode_folded
from edgefactory.training.networks.heat_loss import agreement_loss, detection_loss
from edgefactory.training.networks.maps import RARE, Maps
from edgefactory.training.targets import Targets


class BackboneDetector(Network):
    """The maps join from coarse to fine (Lin et al. 2017, section 3) and end in `Detector`'s heads.

    So it needs no non-maximum suppression either, and exports as the specialist does.
    """

    def __init__(
        self, pyramid: Pyramid, classes: int, width: int, depth: int, detections: int
    ) -> None:
        super().__init__()
        self.detections = detections
        self.backbone = pyramid.body
        self.lateral = nn.ModuleList(nn.Conv2d(c, width, 1) for c in pyramid.channels)
        self.merged = blocks(width, depth)
        self.heat = nn.Conv2d(width, 4 * classes, 1)
        self.reach = nn.Conv2d(width, 16, 1)
        nn.init.constant_(bias_of(self.heat), RARE)
        nn.init.constant_(bias_of(self.reach), 1.0)

    def forward(self, pixels: Tensor) -> Maps:
        """Raw output for pixels [N,3,H,W], float grey levels; H and W are multiples of 32."""
        heat, reach = self._heads(pixels)
        return Maps(F.pixel_shuffle(heat, 2), F.pixel_shuffle(reach, 2))

    def _heads(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Heat [N,4C,h,w] and reach [N,16,h,w] at stride 8, four sub-cells a cell."""
        maps = [
            lateral(found)
            for lateral, found in zip(self.lateral, self.backbone(pixels), strict=True)
        ]
        joined = maps[-1]
        for finer in reversed(maps[:-1]):
            joined = finer + F.interpolate(joined, scale_factor=2.0, mode="nearest")
        merged = self.merged(F.relu(joined))
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
