"""Detection by peaks: a heat map of box centres, and each cell's distances to its box's sides."""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor

STRIDE: Final = 4  # input pixels a cell of the detector's heat map
LARGEST: Final = 6.0  # a logarithm of cells: beyond any picture, and finite as fp16
RARE: Final = -4.0  # the logit of an untrained heat map: a centre is rare


class Maps(NamedTuple):
    """A detector's raw output, at STRIDE.

    heat: logits of "a box of class c is centred in this cell" [N,C,h,w].
    reach: logarithm of the distances from the cell's middle to the box's left, top, right and
    bottom side, in cells [N,4,h,w].
    """

    heat: Tensor
    reach: Tensor


def boxes_at(maps: Maps, picture: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """The boxes of those cells, each [n]: xyxy in input pixels [n,4]."""
    reach = maps.reach[picture, :, row, column].float().clamp(max=LARGEST).exp()
    middle = torch.stack((column, row), dim=1) + 0.5
    return torch.cat((middle - reach[:, :2], middle + reach[:, 2:]), dim=1) * STRIDE
