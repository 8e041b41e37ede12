"""What the networks are trained to lower.

Detection: the focal loss of CenterNet (Zhou et al. 2019, equation 1) on elliptic Gaussians, and
the generalised IoU (Rezatofighi et al. 2019) of the boxes in the cells near a centre, weighted by
the Gaussian (TTFNet, Liu et al. 2020). Each label has a weight: a teacher's doubtful box pulls
less. Cells inside ignore boxes teach nothing. Classification: cross-entropy.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from edgefactory.training.network import STRIDE, Maps, boxes_of

_SIGMA = 0.1  # deviation of the Gaussian, in sides of the box
_NEAR = 0.3  # cells whose Gaussian is above this learn the box
_ALPHA, _BETA = 2.0, 4.0  # CenterNet's exponents
_BOX = 2.0  # weight of the box term against the heat term


@dataclass(frozen=True)
class Targets:
    """Labels of a batch, padded to M boxes a picture with weight 0.

    boxes [N,M,4] xyxy in input pixels, labels [N,M] class numbers, weights [N,M] in 0..1,
    ignore [N,M] True for regions that teach nothing.
    """

    boxes: Tensor
    labels: Tensor
    weights: Tensor
    ignore: Tensor

    def at(self, index: Tensor) -> Targets:
        """The targets of those pictures."""
        return Targets(
            self.boxes[index], self.labels[index], self.weights[index], self.ignore[index]
        )

    def to(self, device: torch.device) -> Targets:
        """The same on another device."""
        return Targets(
            self.boxes.to(device),
            self.labels.to(device),
            self.weights.to(device),
            self.ignore.to(device),
        )


@dataclass(frozen=True)
class ClassTargets:
    """The class number of each picture [N], and how much it teaches [N] in 0..1."""

    labels: Tensor
    weights: Tensor

    def at(self, index: Tensor) -> ClassTargets:
        """The targets of those pictures."""
        return ClassTargets(self.labels[index], self.weights[index])

    def to(self, device: torch.device) -> ClassTargets:
        """The same on another device."""
        return ClassTargets(self.labels.to(device), self.weights.to(device))


def detection_loss(maps: Maps, targets: Targets) -> Tensor:
    """The scalar loss of a batch."""
    heat = maps.heat.float()
    bells, centres = _bells(targets, heat.shape[-2], heat.shape[-1])
    count = targets.weights.sum().clamp(min=1.0)
    heat_term = _heat_loss(heat, targets, bells, centres) / count
    return heat_term + _BOX * _box_loss(maps, targets, bells)


def classification_loss(logits: Tensor, targets: ClassTargets) -> Tensor:
    """Weighted cross-entropy of logits [N,C]."""
    each = F.cross_entropy(logits.float(), targets.labels, reduction="none", label_smoothing=0.05)
    return (each * targets.weights).sum() / targets.weights.sum().clamp(min=1e-6)


def loss_of(output: Maps | Tensor, targets: Targets | ClassTargets) -> Tensor:
    """The loss of a network's raw output, by its kind."""
    if isinstance(output, Maps):
        assert isinstance(targets, Targets)
        return detection_loss(output, targets)
    assert isinstance(targets, ClassTargets)
    return classification_loss(output, targets)


def _bells(targets: Targets, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Each box's Gaussian [N,M,h,w], 1 in its centre cell, 0 for padding; and the centre cells."""
    boxes = targets.boxes / STRIDE
    middle = (boxes[..., :2] + boxes[..., 2:]) / 2
    deviation = ((boxes[..., 2:] - boxes[..., :2]) * _SIGMA).clamp(min=0.4)
    cell = middle.floor()
    real = (targets.weights > 0) & ~targets.ignore
    real &= (cell >= 0).all(-1) & (cell[..., 0] < width) & (cell[..., 1] < height)
    x = torch.arange(width, device=boxes.device) - cell[..., 0:1]
    y = torch.arange(height, device=boxes.device) - cell[..., 1:2]
    along_x = torch.exp(-0.5 * (x / deviation[..., 0:1]) ** 2)
    along_y = torch.exp(-0.5 * (y / deviation[..., 1:2]) ** 2) * real[..., None]
    bells = along_y[..., :, None] * along_x[..., None, :]
    return bells, bells == 1.0


def _heat_loss(heat: Tensor, targets: Targets, bells: Tensor, centres: Tensor) -> Tensor:
    classes = heat.shape[1]
    of_class = F.one_hot(targets.labels, classes).transpose(1, 2)[..., None, None]  # [N,C,M,1,1]
    bell = (bells[:, None] * of_class).amax(2)
    centre = centres[:, None] & (of_class > 0)
    weight = (centre * targets.weights[:, None, :, None, None]).amax(2)
    chance = heat.sigmoid()
    hit = F.logsigmoid(heat) * (1 - chance) ** _ALPHA * weight
    miss = F.logsigmoid(-heat) * chance**_ALPHA * (1 - bell) ** _BETA
    taught = ~_ignored(targets, heat.shape[-2], heat.shape[-1])[:, None] & (weight == 0)
    return -(hit + miss * taught).sum()


def _ignored(targets: Targets, height: int, width: int) -> Tensor:
    """True for cells whose middle lies in an ignore box [N,h,w]."""
    boxes = targets.boxes / STRIDE
    x = torch.arange(width, device=boxes.device) + 0.5
    y = torch.arange(height, device=boxes.device) + 0.5
    inside_x = (x >= boxes[..., 0:1]) & (x <= boxes[..., 2:3]) & targets.ignore[..., None]
    inside_y = (y >= boxes[..., 1:2]) & (y <= boxes[..., 3:4])
    return (inside_y[..., :, None] & inside_x[..., None, :]).any(1)


def _box_loss(maps: Maps, targets: Targets, bells: Tensor) -> Tensor:
    best, owner = bells.max(1)
    picture, row, column = torch.nonzero(best > _NEAR, as_tuple=True)
    if len(picture) == 0:
        return maps.reach.sum() * 0.0
    chosen = owner[picture, row, column]
    wanted = targets.boxes[picture, chosen]
    weight = best[picture, row, column] * targets.weights[picture, chosen]
    found = boxes_of(maps)[picture, :, row, column]
    return ((1.0 - _generalised_iou(found, wanted)) * weight).sum() / weight.sum().clamp(min=1e-6)


def _generalised_iou(a: Tensor, b: Tensor) -> Tensor:
    inter = (
        (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0).prod(1)
    )
    hull = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).prod(1)
    union = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - inter
    return inter / union.clamp(min=1e-6) - (hull - union) / hull.clamp(min=1e-6)
