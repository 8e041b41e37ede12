"""What a wrong class costs, and how far two opinions about a picture lie apart."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from edgefactory.training.targets import ClassTargets

_SMOOTHING = 0.05  # of the labels (Szegedy et al. 2016, section 7)
_SURE = 0.8  # probability from which the reference's opinion counts (FixMatch; Sohn et al. 2020)


def classification_loss(
    logits: Tensor, targets: ClassTargets, soft: float, temperature: float
) -> Tensor:
    """Weighted cross-entropy of logits [N,C], a share `soft` of it against the teacher's opinion.

    The latter is the cross-entropy of both at `temperature`, times its square (distillation;
    Hinton et al. 2015, section 2).
    """
    logits = logits.float()
    each = F.cross_entropy(logits, targets.labels, reduction="none", label_smoothing=_SMOOTHING)
    each = each * targets.weights
    loss = each.sum() / targets.weights.sum().clamp(min=1e-6)
    if targets.soft is None or not soft:
        return loss
    wanted = F.softmax(targets.soft.clamp(min=1e-6).log() / temperature, dim=1)
    told = F.cross_entropy(logits / temperature, wanted) * temperature**2
    return (1 - soft) * loss + soft * told


def divergence(logits: Tensor, reference: Tensor) -> Tensor:
    """The cross-entropy of logits [N,C] against the reference's, where that is sure."""
    wanted = reference.detach().float().softmax(dim=1)
    sure = (wanted.amax(dim=1) >= _SURE).float()
    each = F.cross_entropy(logits.float(), wanted, reduction="none")
    return (each * sure).mean()
