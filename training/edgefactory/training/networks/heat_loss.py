"""What a detector is trained to lower.

The focal loss of CenterNet (Zhou et al. 2019, equation 1) on elliptic Gaussians, and the
generalised IoU (Rezatofighi et al. 2019) of the boxes in the cells near a centre, weighted by the
Gaussian (TTFNet, Liu et al. 2020). Each label has a weight: a teacher's doubtful box pulls less.
Where a label is doubtful itself, its peak is asked for as high as its score only (quality focal
loss; Li et al. 2020, equation 5, which is CenterNet's at the height 1). Cells inside ignore boxes
teach nothing.
"""

from __future__ import annotations

import math
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
_WIDE = 3.5  # deviations from its middle at which a Gaussian counts as 0
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

    picture, label, weight, height, centre [R] (a cell's number, row by row); box [R,4] in input
    pixels; bell [R,K] its Gaussian in the `cell`s [R,K] around, 1 in the centre, 0 beyond a map.
    """

    picture: Tensor
    label: Tensor
    weight: Tensor
    height: Tensor
    centre: Tensor
    box: Tensor
    cell: Tensor
    bell: Tensor

    def highest(self, group: Tensor, groups: int, cells: int) -> Tensor:
        """The highest Gaussian of each group of boxes [groups * cells]; `group` [R] names it."""
        index = (group[:, None] * cells + self.cell).flatten()
        made = self.bell.new_zeros(groups * cells)
        return made.scatter_reduce_(0, index, self.bell.flatten(), "amax")


def _asked(targets: Targets, height: int, width: int) -> _Asked:
    middle = (targets.boxes[..., :2] + targets.boxes[..., 2:]) / (2 * STRIDE)
    cell = middle.floor()
    real = (targets.weights > 0) & ~targets.ignore
    real &= (cell >= 0).all(-1) & (cell[..., 0] < width) & (cell[..., 1] < height)
    picture, slot = torch.nonzero(real, as_tuple=True)
    box = targets.boxes[picture, slot]
    column, row = cell[picture, slot].long().unbind(-1)
    deviation = ((box[:, 2:] - box[:, :2]) * (_SIGMA / STRIDE)).clamp(min=0.4)
    reach = min(math.ceil(_WIDE * float(deviation.max())), max(height, width)) if len(box) else 0
    away = torch.arange(-reach, reach + 1, device=box.device)
    x, y = column[:, None] + away, row[:, None] + away
    along_x = torch.exp(-0.5 * (away / deviation[:, 0:1]) ** 2) * ((x >= 0) & (x < width))
    along_y = torch.exp(-0.5 * (away / deviation[:, 1:2]) ** 2) * ((y >= 0) & (y < height))
    cells = y.clamp(0, height - 1)[:, :, None] * width + x.clamp(0, width - 1)[:, None, :]
    return _Asked(
        picture=picture,
        label=targets.labels[picture, slot],
        weight=targets.weights[picture, slot],
        height=targets.heights[picture, slot],
        centre=row * width + column,
        box=box,
        cell=cells.flatten(1),
        bell=(along_y[:, :, None] * along_x[:, None, :]).flatten(1),
    )


def _heat_loss(heat: Tensor, targets: Targets, asked: _Asked) -> Tensor:
    pictures, classes, height, width = heat.shape
    kind = asked.picture * classes + asked.label
    bell = asked.highest(kind, pictures * classes, height * width).view_as(heat)
    taught = ~_ignored(targets, height, width)[:, None].expand_as(heat)
    centre = kind * (height * width) + asked.centre
    taught = taught.flatten().index_fill(0, centre, False).view_as(heat)
    miss = F.softplus(heat) * heat.sigmoid() ** _ALPHA * (1 - bell) ** _BETA
    logit, wanted = heat.flatten()[centre], asked.height
    hit = F.binary_cross_entropy_with_logits(logit, wanted, reduction="none")
    hit = hit * (wanted - logit.sigmoid()).abs() ** _ALPHA * asked.weight
    return hit.sum() + (miss * taught).sum()


def _ignored(targets: Targets, height: int, width: int) -> Tensor:
    """True for cells whose middle lies in an ignore box [N,h,w]."""
    picture, slot = torch.nonzero(targets.ignore & (targets.weights > 0), as_tuple=True)
    boxes = targets.boxes[picture, slot] / STRIDE
    x = torch.arange(width, device=boxes.device) + 0.5
    y = torch.arange(height, device=boxes.device) + 0.5
    inside_x = (x >= boxes[:, 0:1]) & (x <= boxes[:, 2:3])
    inside_y = (y >= boxes[:, 1:2]) & (y <= boxes[:, 3:4])
    inside = (inside_y[:, :, None] & inside_x[:, None, :]).flatten(1)
    made = torch.zeros(len(targets.boxes), height * width, device=boxes.device)
    made.index_add_(0, picture, inside.float())
    return (made > 0).view(-1, height, width)


def _box_loss(maps: Maps, asked: _Asked) -> Tensor:
    """The cells near a centre learn the box of whose Gaussian is highest there."""
    pictures, _, height, width = maps.reach.shape
    best = asked.highest(asked.picture, pictures, height * width)
    here = best[asked.picture[:, None] * (height * width) + asked.cell]
    box, place = torch.nonzero((asked.bell > _NEAR) & (asked.bell == here), as_tuple=True)
    if len(box) == 0:
        return maps.reach.sum() * 0.0
    cell = asked.cell[box, place]
    row = torch.div(cell, width, rounding_mode="floor")
    weight = asked.bell[box, place] * asked.weight[box]
    found = boxes_at(maps, asked.picture[box], row, cell - row * width)
    overlap = _generalised_iou(found, asked.box[box])
    return ((1.0 - overlap) * weight).sum() / weight.sum().clamp(min=1e-6)


def _generalised_iou(a: Tensor, b: Tensor) -> Tensor:
    inter = (
        (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0).prod(1)
    )
    hull = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).prod(1)
    union = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - inter
    return inter / union.clamp(min=1e-6) - (hull - union) / hull.clamp(min=1e-6)
