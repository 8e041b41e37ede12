"""The two families of tiny networks: a centre-heatmap detector and a classifier.

Both take grey levels 0..255 as float [N,3,H,W], so that the edge feeds bytes. They are built of
dense 3x3 convolutions with ReLU alone: at INT8 these run at the arithmetic floor of CPU engines,
while depthwise and attention layers are bound by memory (measured; see the folder's README).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgefactory.training.recipe import Recipe

STRIDE = 4  # input pixels a cell of the detector's heat map
LARGEST = 6.0  # a logarithm of cells: beyond any picture, and finite as fp16
MIDDLE, SPREAD = 128.0, 64.0  # grey level that becomes 0, and grey levels that become 1
_RARE = -4.0  # the logit of an untrained heat map: a centre is rare


class Maps(NamedTuple):
    """The detector's raw output, at STRIDE.

    heat: logits of "a box of class c is centred in this cell" [N,C,h,w].
    reach: logarithm of the distances from the cell's middle to the box's left, top, right and
    bottom side, in cells [N,4,h,w].
    """

    heat: Tensor
    reach: Tensor


class Levels(nn.Module):
    """Grey levels 0..255 to numbers around 0."""

    def forward(self, pixels: Tensor) -> Tensor:
        """(pixels - MIDDLE) / SPREAD."""
        return (pixels - MIDDLE) * (1.0 / SPREAD)


class Detector(nn.Module):
    """Patches of 4x4 pixels, convolutions at strides 8 and 16, and heads unfolded to stride 4.

    A head predicts four sub-cells for each of its own cells (sub-pixel convolution, Shi et al.
    2016, section 3.2), so that people who stand close together keep separate peaks at the price
    of stride 8.
    """

    def __init__(self, classes: int, width: int, depth: int) -> None:
        super().__init__()
        deep = 2 * width
        self.levels: nn.Module = Levels()
        self.stem = _block(3, width // 2, kernel=4, stride=4)
        self.down = _block(width // 2, width, stride=2)
        self.near = _blocks(width, depth)
        self.deeper = _block(width, deep, stride=2)
        self.far = _blocks(deep, depth)
        self.back = nn.Conv2d(deep, width, 1)
        self.merged = _blocks(width, 1)
        self.heat = nn.Conv2d(width, 4 * classes, 1)
        self.reach = nn.Conv2d(width, 16, 1)
        nn.init.constant_(_bias(self.heat), _RARE)
        nn.init.constant_(_bias(self.reach), 1.0)

    def forward(self, pixels: Tensor) -> Maps:
        """Raw output for pixels [N,3,H,W], float grey levels; H and W are multiples of 16."""
        near = self.near(self.down(self.stem(self.levels(pixels))))
        far = self.back(self.far(self.deeper(near)))
        merged = self.merged(F.relu(near + F.interpolate(far, scale_factor=2.0, mode="nearest")))
        return Maps(F.pixel_shuffle(self.heat(merged), 2), F.pixel_shuffle(self.reach(merged), 2))


class Classifier(nn.Module):
    """3x3 convolutions with two halvings, averaged over the picture; gives logits [N,C]."""

    def __init__(self, classes: int, width: int, depth: int) -> None:
        super().__init__()
        self.levels: nn.Module = Levels()
        self.features = nn.Sequential(
            _block(3, width),
            *_blocks(width, depth),
            _block(width, 2 * width, stride=2),
            *_blocks(2 * width, depth),
            _block(2 * width, 2 * width, stride=2),
        )
        self.logits = nn.Linear(2 * width, classes)

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits for pixels [N,3,H,W], float grey levels."""
        found: Tensor = self.features(self.levels(pixels))
        logits: Tensor = self.logits(found.mean(dim=(2, 3)))
        return logits


Network = Detector | Classifier


def build(recipe: Recipe, classes: int) -> Network:
    """An untrained network of the recipe's size for that number of classes."""
    family = Detector if recipe.task == "detection" else Classifier
    return family(classes, recipe.width, recipe.depth)


def boxes_of(maps: Maps) -> Tensor:
    """Every cell's box, xyxy in input pixels [N,4,h,w]."""
    reach = maps.reach.float().clamp(max=LARGEST).exp()
    height, width = reach.shape[-2:]
    x = torch.arange(width, device=reach.device, dtype=reach.dtype) + 0.5
    y = (torch.arange(height, device=reach.device, dtype=reach.dtype) + 0.5)[:, None]
    left, top, right, bottom = reach.unbind(1)
    return torch.stack((x - left, y - top, x + right, y + bottom), dim=1) * STRIDE


def _block(before: int, after: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    padding = 0 if kernel == stride else kernel // 2
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, stride, padding, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )


def _blocks(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(_block(width, width) for _ in range(count)))


def _bias(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias
