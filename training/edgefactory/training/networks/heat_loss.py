"""What a detector is trained to lower.

The focal loss of CenterNet (Zhou et al. 2019, equation 1) on elliptic Gaussians, and the
generalised IoU (Rezatofighi et al. 2019) of the boxes in the cells near a centre, weighted by the
Gaussian (TTFNet, Liu et al. 2020). Each label has a weight: a teacher's doubtful box pulls less.
Where a label is doubtful itself, its peak is asked for as high as its score only (quality focal
loss; Li et al. 2020, equation 5, which is CenterNet's at the height 1). Cells inside ignore boxes
teach nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from edgefactory.training.networks.maps import STRIDE, Maps, boxes_at
from edgefactory.training.targets import Targets

_SIGMA = 0.1  # deviation of the Gaussian, in sides of the box
_NEAR = 0.3  # cells whose Gaussian is above this learn the box
_ALPHA, _BETA = 2.0, 4.0  # CenterNet's exponents
_BOX = 2.0  # weight of the box term against the heat term
_SEEN = 0.3  # probability from which the reference's peak has a box to agree with


def detection_loss(maps: Maps, targets: Targets) -> Tensor:
    """The scalar loss of a batch."""
    heat = maps.heat.float()
    asked = _asked(targets, heat.shape[-2], heat.shape[-1])
    count = targets.weights.sum().clamp(min=1.0)
    return _heat_loss(heat, targets, asked) / count + _BOX * _box_loss(maps, asked)


def agreement_loss(maps: Maps, reference: Maps) -> Tensor:
    """What it costs to differ from the reference's maps of the same pictures: a scalar.

    Heat: the quality focal loss against its probabilities. Boxes: their generalised IoU where it
    sees something, weighted by how sure it is.
    """
    wanted = reference.heat.detach().float().sigmoid()
    heat = maps.heat.float()
    each = F.binary_cross_entropy_with_logits(heat, wanted, reduction="none")
    count = wanted.sum().clamp(min=1.0)
    heat_term = (each * (heat.sigmoid() - wanted).abs() ** _ALPHA).sum() / count
    sure = wanted.amax(1)
    picture, row, column = torch.nonzero(sure > _SEEN, as_tuple=True)
    if len(picture) == 0:
        return heat_term
    weight = sure[picture, row, column]
    overlap = _generalised_iou(
        boxes_at(maps, picture, row, column), boxes_at(reference, picture, row, column).detach()
    )
    return heat_term + _BOX * ((1.0 - overlap) * weight).sum() / weight.sum()


@dataclass(frozen=True)
class _Asked:
    """The R boxes of a batch that are asked for.

    picture, label, weight, height, row, column [R]; box [R,4] in input pixels; bell [R,h,w] its
    Gaussian, 1 in the cell (row, column) of its centre.
    """

    picture: Tensor
    label: Tensor
    weight: Tensor
    height: Tensor
    box: Tensor
    row: Tensor
    column: Tensor
    bell: Tensor

    def highest(self, group: Tensor, groups: int) -> Tensor:
        """The highest Gaussian of each group of boxes [groups,h,w]; `group` [R] names it."""
        size = self.bell.shape[1:]
        index = group[:, None].expand(-1, size.numel())
        made = self.bell.new_zeros(groups, size.numel())
        return made.scatter_reduce_(0, index, self.bell.flatten(1), "amax").view(groups, *size)


def _asked(targets: Targets, height: int, width: int) -> _Asked:
    middle = (targets.boxes[..., :2] + targets.boxes[..., 2:]) / (2 * STRIDE)
    cell = middle.floor()
    real = (targets.weights > 0) & ~targets.ignore
    real &= (cell >= 0).all(-1) & (cell[..., 0] < width) & (cell[..., 1] < height)
    picture, slot = torch.nonzero(real, as_tuple=True)
    box, column, row = targets.boxes[picture, slot], *cell[picture, slot].unbind(-1)
    deviation = ((box[:, 2:] - box[:, :2]) * (_SIGMA / STRIDE)).clamp(min=0.4)
    x = torch.arange(width, device=box.device) - column[:, None]
    y = torch.arange(height, device=box.device) - row[:, None]
    along_x = torch.exp(-0.5 * (x / deviation[:, 0:1]) ** 2)
    along_y = torch.exp(-0.5 * (y / deviation[:, 1:2]) ** 2)
    return _Asked(
        picture=picture,
        label=targets.labels[picture, slot],
        weight=targets.weights[picture, slot],
        height=targets.heights[picture, slot],
        box=box,
        row=row.long(),
        column=column.long(),
        bell=along_y[:, :, None] * along_x[:, None, :],
    )


def _heat_loss(heat: Tensor, targets: Targets, asked: _Asked) -> Tensor:
    pictures, classes, height, width = heat.shape
    bell = asked.highest(asked.picture * classes + asked.label, pictures * classes)
    chance = heat.sigmoid()
    miss = F.softplus(heat) * chance**_ALPHA * (1 - bell.view_as(heat)) ** _BETA
    taught = ~_ignored(targets, height, width)[:, None].expand_as(heat)
    centre = (asked.picture, asked.label, asked.row, asked.column)
    taught = taught.index_put(centre, torch.zeros_like(asked.label, dtype=torch.bool))
    logit, wanted = heat[centre], asked.height
    hit = F.binary_cross_entropy_with_logits(logit, wanted, reduction="none")
    hit = hit * (wanted - logit.sigmoid()).abs() ** _ALPHA * asked.weight
    return hit.sum() + (miss * taught).sum()


def _ignored(targets: Targets, height: int, width: int) -> Tensor:
    """True for cells whose middle lies in an ignore box [N,h,w]."""
    boxes = targets.boxes / STRIDE
    x = torch.arange(width, device=boxes.device) + 0.5
    y = torch.arange(height, device=boxes.device) + 0.5
    inside_x = (x >= boxes[..., 0:1]) & (x <= boxes[..., 2:3]) & targets.ignore[..., None]
    inside_y = (y >= boxes[..., 1:2]) & (y <= boxes[..., 3:4])
    return (inside_y[..., :, None] & inside_x[..., None, :]).any(1)


def _box_loss(maps: Maps, asked: _Asked) -> Tensor:
    """The cells near a centre learn the box of whose Gaussian is highest there."""
    best = asked.highest(asked.picture, len(maps.reach))
    near = (asked.bell > _NEAR) & (asked.bell == best[asked.picture])
    box, row, column = torch.nonzero(near, as_tuple=True)
    if len(box) == 0:
        return maps.reach.sum() * 0.0
    weight = asked.bell[box, row, column] * asked.weight[box]
    found = boxes_at(maps, asked.picture[box], row, column)
    overlap = _generalised_iou(found, asked.box[box])
    return ((1.0 - overlap) * weight).sum() / weight.sum().clamp(min=1e-6)


def _generalised_iou(a: Tensor, b: Tensor) -> Tensor:
    inter = (
        (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0).prod(1)
    )
    hull = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).prod(1)
    union = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - inter
    return inter / union.clamp(min=1e-6) - (hull - union) / hull.clamp(min=1e-6)
