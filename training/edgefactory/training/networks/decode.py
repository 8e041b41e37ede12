"""Peaks of a heat map to boxes, inside of the graph: nothing is left to decode outside."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from edgefactory.training.networks.maps import LARGEST, STRIDE, Maps

_NOWHERE = -30.0  # the logit of a cell that is no peak; its score is 1e-13


def decode(maps: Maps, detections: int) -> tuple[Tensor, Tensor, Tensor]:
    """See `decode_folded`."""
    return decode_folded(maps.heat, F.pixel_unshuffle(maps.reach, 2), detections)


def decode_folded(heat: Tensor, folded: Tensor, detections: int) -> tuple[Tensor, Tensor, Tensor]:
    """The `detections` highest peaks: boxes [N,K,4] xyxy in input pixels, scores, labels [N,K].

    heat [N,C,h,w] as in `Maps`; `folded` [N,16,h/2,w/2] is its reach before `pixel_shuffle` by 2:
    four numbers a detection are looked up, so the whole map need not be unfolded. A peak is a cell
    that no cell among its eight neighbours exceeds (CenterNet, section 4), which stands in for
    non-maximum suppression. Best first.
    """
    classes, height, width = heat.shape[1:]
    peaks = torch.where(heat >= _highest_around(heat), heat, _NOWHERE)
    logits, index = peaks.flatten(1).topk(min(detections, classes * height * width), dim=1)
    labels = _label(index, classes, height * width)
    cell = (index - labels * (height * width)).float()
    row = ((cell + 0.5) / width).floor()
    column = cell - row * width
    middle = torch.stack((column, row), dim=-1) + 0.5
    chosen = _folded(row, column, height * width, width).unsqueeze(1).expand(-1, 4, -1)
    reach = folded.reshape(-1, 4, height * width).gather(2, chosen)
    sides = reach.clamp(max=LARGEST).exp().transpose(1, 2)
    outward = torch.tensor([-1.0, -1.0, 1.0, 1.0], device=reach.device)
    boxes = (torch.cat((middle, middle), dim=-1) + sides * outward) * STRIDE
    return boxes, logits.sigmoid(), labels


def _highest_around(heat: Tensor) -> Tensor:
    """The maximum over a cell and its eight neighbours: first down, then across.

    As `max_pool2d` has it; engines pool a single channel no faster than sixteen.
    """
    wide = F.pad(heat, (1, 1, 1, 1), value=_NOWHERE)
    down = torch.maximum(torch.maximum(wide[..., :-2, :], wide[..., 1:-1, :]), wide[..., 2:, :])
    return torch.maximum(torch.maximum(down[..., :-2], down[..., 1:-1]), down[..., 2:])


def _folded(row: Tensor, column: Tensor, cells: int, width: int) -> Tensor:
    """Where a cell lies among the four maps of a quarter of the cells each, one after another."""
    up, left = (row / 2).floor(), (column / 2).floor()
    part = 2 * (row - 2 * up) + (column - 2 * left)
    return (part * (cells / 4) + up * (width / 2) + left).long()


def _label(index: Tensor, classes: int, cells: int) -> Tensor:
    """index // cells by comparison: exporters write integer division as nine operators."""
    if classes == 1:
        return torch.zeros_like(index)
    starts = torch.arange(1, classes, device=index.device) * cells
    return (index.unsqueeze(-1) >= starts).long().sum(-1)
