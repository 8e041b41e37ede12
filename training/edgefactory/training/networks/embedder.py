"""Metric learning: pictures of the same one lie close together, also of those never seen before."""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgefactory.training.networks.base import Network
from edgefactory.training.targets import ClassTargets

_SCALE: Final = 16.0  # of the cosines; small, as embeddings of few numbers and small data sets ask
_MARGIN: Final = 0.2  # radians that the right identity must be nearer


class Embedder(Network):
    """A body whose numbers, at unit length, are the embedding [N,D].

    Learned with an angular margin to one direction an identity (ArcFace; Deng et al. 2019,
    equation 3). The directions are of training alone; the graph has none.
    """

    def __init__(self, body: nn.Module, length: int, identities: int) -> None:
        super().__init__()
        self.body = body
        self.directions = nn.Parameter(torch.empty(identities, length))
        nn.init.xavier_normal_(self.directions)

    def forward(self, pixels: Tensor) -> Tensor:
        """Embeddings [N,D] of unit length for pixels [N,3,H,W], float grey levels."""
        found: Tensor = self.body(pixels)
        return F.normalize(found.float(), dim=1)

    def loss(self, raw: Tensor, targets: ClassTargets) -> Tensor:
        """See `Network`."""
        cosine = raw @ F.normalize(self.directions.float(), dim=1).T
        right = F.one_hot(targets.labels, cosine.shape[1]).bool()
        angle = cosine.clamp(-1 + 1e-6, 1 - 1e-6).acos()
        logits = torch.where(right, (angle + _MARGIN).cos(), cosine) * _SCALE
        each = F.cross_entropy(logits, targets.labels, reduction="none") * targets.weights
        return each.sum() / targets.weights.sum().clamp(min=1e-6)

    def agreement(self, raw: Tensor, reference: Tensor) -> Tensor:
        """See `Network`: one less the cosine."""
        return (1 - (raw * reference.detach()).sum(dim=1)).mean()

    def decisions(self, raw: Tensor) -> tuple[Tensor]:
        """See `Network`."""
        return (raw,)
