"""Peaks of a heat map to boxes, inside of the graph: nothing is left to decode outside."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from edgefactory.training.networks.maps import LARGEST, STRIDE, Maps

_NOWHERE = -30.0  # the logit of a cell that is no peak; its score is 1e-13


def decode(maps: Maps, detections: int) -> tuple[Tensor, Tensor, Tensor]:
    """The `detections` highest peaks: boxes [N,K,4] xyxy in input pixels, scores, labels [N,K].

    A peak is a cell that no cell among its eight neighbours exceeds (CenterNet, section 4), which
    stands in for non-maximum suppression. Best first.
    """
    classes, height, width = maps.heat.shape[1:]
    peaks = torch.where(maps.heat >= F.max_pool2d(maps.heat, 3, 1, 1), maps.heat, _NOWHERE)
    logits, index = peaks.flatten(1).topk(min(detections, classes * height * width), dim=1)
    labels = _label(index, classes, height * width)
    cell = index - labels * (height * width)
    row = ((cell.float() + 0.5) / width).floor()
    middle = torch.stack((cell.float() - row * width, row), dim=-1) + 0.5
    chosen = cell.unsqueeze(1).expand(-1, 4, -1)
    reach = maps.reach.flatten(2).gather(2, chosen).clamp(max=LARGEST).exp().transpose(1, 2)
    outward = torch.tensor([-1.0, -1.0, 1.0, 1.0], device=reach.device)
    boxes = (torch.cat((middle, middle), dim=-1) + reach * outward) * STRIDE
    return boxes, logits.sigmoid(), labels


def _label(index: Tensor, classes: int, cells: int) -> Tensor:
    """index // cells by comparison: exporters write integer division as nine operators."""
    if classes == 1:
        return torch.zeros_like(index)
    starts = torch.arange(1, classes, device=index.device) * cells
    return (index.unsqueeze(-1) >= starts).long().sum(-1)
