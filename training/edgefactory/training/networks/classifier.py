"""Our own classifier: for small pictures of one thing, as digits on a voucher."""

from __future__ import annotations

from torch import Tensor, nn

from edgefactory.training.networks.base import Levels, Network
from edgefactory.training.networks.blocks import block, blocks
from edgefactory.training.networks.class_loss import classification_loss, divergence
from edgefactory.training.targets import ClassTargets


class Trunk(nn.Module):
    """3x3 convolutions with two halvings, averaged over the picture: [N,3,H,W] -> [N,2*width]."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.levels: nn.Module = Levels()
        self.features = nn.Sequential(
            block(3, width),
            *blocks(width, depth),
            block(width, 2 * width, stride=2),
            *blocks(2 * width, depth),
            block(2 * width, 2 * width, stride=2),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """What is seen in pixels [N,3,H,W], float grey levels."""
        found: Tensor = self.features(self.levels(pixels))
        return found.mean(dim=(2, 3))


class Classifier(Network):
    """A body that gives logits [N,C]; raw output is the logits."""

    def __init__(self, body: nn.Module, soft: float, temperature: float) -> None:
        super().__init__()
        self.body = body
        self.soft, self.temperature = soft, temperature

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits [N,C] for pixels [N,3,H,W], float grey levels."""
        logits: Tensor = self.body(pixels)
        return logits

    def loss(self, raw: Tensor, targets: ClassTargets) -> Tensor:
        """See `Network`."""
        return classification_loss(raw, targets, self.soft, self.temperature)

    def agreement(self, raw: Tensor, reference: Tensor) -> Tensor:
        """See `Network`."""
        return divergence(raw, reference)

    def decisions(self, raw: Tensor) -> tuple[Tensor]:
        """See `Network`."""
        return (raw.softmax(dim=1),)
