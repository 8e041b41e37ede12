"""What a picture's labels ask of a network: one picture's, and a batch of them as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Marks:
    """The boxes of one picture.

    boxes [m,4] xyxy in pixels of the input, labels [m] class numbers, weights [m] in 0..1 how much
    each pulls, heights [m] in 0..1 how sure a network should be of it, ignore [m] True for regions
    that teach nothing.
    """

    boxes: Floats
    labels: Ints
    weights: Floats
    heights: Floats
    ignore: Bools

    def __len__(self) -> int:
        return len(self.boxes)

    def joined(self, others: Marks) -> Marks:
        """These and those."""
        return Marks(
            np.concatenate((self.boxes, others.boxes)),
            np.concatenate((self.labels, others.labels)),
            np.concatenate((self.weights, others.weights)),
            np.concatenate((self.heights, others.heights)),
            np.concatenate((self.ignore, others.ignore)),
        )

    def at(self, chosen: npt.NDArray[np.generic]) -> Marks:
        """Those of an index or mask."""
        return Marks(
            self.boxes[chosen],
            self.labels[chosen],
            self.weights[chosen],
            self.heights[chosen],
            self.ignore[chosen],
        )


NO_MARKS = Marks(
    np.zeros((0, 4), np.float32),
    np.zeros(0, np.int64),
    np.zeros(0, np.float32),
    np.zeros(0, np.float32),
    np.zeros(0, np.bool_),
)


@dataclass(frozen=True)
class Targets:
    """`Marks` of a batch, padded to M boxes a picture with weight 0.

    boxes [N,M,4], labels, weights, heights and ignore [N,M]; see `Marks`.
    """

    boxes: Tensor
    labels: Tensor
    weights: Tensor
    heights: Tensor
    ignore: Tensor

    def to(self, device: torch.device) -> Targets:
        """The same on another device."""
        return Targets(
            self.boxes.to(device),
            self.labels.to(device),
            self.weights.to(device),
            self.heights.to(device),
            self.ignore.to(device),
        )


@dataclass(frozen=True)
class ClassTargets:
    """Of each picture of a batch: its class number [N], how much it teaches [N] in 0..1, and the
    class probabilities [N,C] that a teacher gives it, if one does."""

    labels: Tensor
    weights: Tensor
    soft: Tensor | None = None

    def at(self, index: Tensor) -> ClassTargets:
        """The targets of those pictures."""
        soft = None if self.soft is None else self.soft[index]
        return ClassTargets(self.labels[index], self.weights[index], soft)

    def to(self, device: torch.device) -> ClassTargets:
        """The same on another device."""
        soft = None if self.soft is None else self.soft.to(device)
        return ClassTargets(self.labels.to(device), self.weights.to(device), soft)


def padded(marks: Sequence[Marks]) -> Targets:
    """The marks of a batch as tensors, padded to the most boxes that one of its pictures has."""
    most = max(1, *(len(m) for m in marks)) if marks else 1
    count = len(marks)
    boxes = np.zeros((count, most, 4), np.float32)
    labels = np.zeros((count, most), np.int64)
    weights = np.zeros((count, most), np.float32)
    heights = np.ones((count, most), np.float32)
    ignore = np.zeros((count, most), np.bool_)
    for row, m in enumerate(marks):
        boxes[row, : len(m)] = m.boxes
        labels[row, : len(m)] = m.labels
        weights[row, : len(m)] = m.weights
        heights[row, : len(m)] = m.heights
        ignore[row, : len(m)] = m.ignore
    return Targets(*(torch.from_numpy(a) for a in (boxes, labels, weights, heights, ignore)))
