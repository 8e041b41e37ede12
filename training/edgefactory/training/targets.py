"""What a picture's labels ask of a network: one picture's, and a batch of them as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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


def joined(each: Sequence[Marks]) -> tuple[Marks, Ints]:
    """The marks of several pictures in one, and whose each is [m]."""
    of = np.repeat(np.arange(len(each)), [len(marks) for marks in each])
    return Marks(
        np.concatenate([marks.boxes for marks in each]),
        np.concatenate([marks.labels for marks in each]),
        np.concatenate([marks.weights for marks in each]),
        np.concatenate([marks.heights for marks in each]),
        np.concatenate([marks.ignore for marks in each]),
    ), of


def padded(marks: Marks, of: Ints, pictures: int) -> Targets:
    """Joined marks as tensors, padded to the most boxes that one of the `pictures` has."""
    counts = np.bincount(of, minlength=pictures)
    slot = np.arange(len(of)) - np.repeat(np.cumsum(counts) - counts, counts)
    shape = (pictures, max(1, int(counts.max(initial=0))))

    def laid(values: npt.NDArray[Any]) -> Tensor:
        made = np.zeros((*shape, *values.shape[1:]), values.dtype)
        made[of, slot] = values
        return torch.from_numpy(made)

    return Targets(
        boxes=laid(marks.boxes),
        labels=laid(marks.labels),
        weights=laid(marks.weights),
        heights=laid(marks.heights),
        ignore=laid(marks.ignore),
    )
