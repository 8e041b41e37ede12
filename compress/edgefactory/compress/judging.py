"""What a model's outputs are worth: answers a picture, judged against the test split's labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from edge_runtime.contract import Outputs, Placement
from edgefactory.compress.answers import boxes_in, probabilities_in
from edgefactory.compress.subjects import Figure
from edgefactory.training import (
    Detections,
    Truth,
    accuracy,
    accuracy_bootstrap,
    accuracy_difference,
    ap50,
    ap50_bootstrap,
    ap50_difference,
)

Floats = npt.NDArray[np.float64]
Row = list[float]
T = TypeVar("T")


class Judge(Protocol[T]):
    """Judges answers (one a picture, in the order of the test split) of one task."""

    @property
    def metric(self) -> str:
        """What `figure` is called."""

    def answer(self, outputs: Outputs, place: Placement) -> T:
        """The answer in the outputs of a batch of one picture."""

    def figure(self, answers: Sequence[T]) -> Figure:
        """How good the answers are, 0..1."""

    def difference(self, a: Sequence[T], b: Sequence[T]) -> Figure:
        """How much better `a` is than `b`, in pairs."""

    def row(self, answer: T) -> list[Row] | Row:
        """The answer as predictions.json has it."""

    def truth_row(self, index: int) -> list[Row] | int:
        """The truth of picture `index` as predictions.json has it."""


@dataclass(frozen=True)
class DetectionJudge:
    """AP50; answers and truth in pixels of the pictures."""

    truths: Sequence[Truth]
    bootstrap: int
    seed: int
    lowest: float
    metric: str = "ap50"

    def answer(self, outputs: Outputs, place: Placement) -> Detections:
        """See `Judge`."""
        return boxes_in(outputs, place, self.lowest)

    def figure(self, answers: Sequence[Detections]) -> Figure:
        """See `Judge`."""
        interval = ap50_bootstrap(answers, self.truths, self.bootstrap, self.seed)
        return Figure(ap50(answers, self.truths), len(answers), (interval.lo, interval.hi))

    def difference(self, a: Sequence[Detections], b: Sequence[Detections]) -> Figure:
        """See `Judge`."""
        found = ap50_difference(a, b, self.truths, self.bootstrap, self.seed)
        return Figure(found.value, len(a), (found.lo, found.hi))

    def row(self, answer: Detections) -> list[Row]:
        """[x0, y0, x1, y1, score] a box."""
        return [
            [*(round(float(v), 1) for v in box), round(float(score), 4)]
            for box, score in zip(answer.boxes, answer.scores, strict=True)
        ]

    def truth_row(self, index: int) -> list[Row]:
        """[x0, y0, x1, y1, 1 where it is to be ignored] a box."""
        truth = self.truths[index]
        return [
            [*(round(float(v), 1) for v in box), float(ignore)]
            for box, ignore in zip(truth.boxes, truth.ignore, strict=True)
        ]


@dataclass(frozen=True)
class ClassificationJudge:
    """Accuracy; an answer is the probabilities of the classes."""

    targets: npt.NDArray[np.int64]
    bootstrap: int
    seed: int
    metric: str = "accuracy"

    def answer(self, outputs: Outputs, place: Placement) -> Floats:  # noqa: ARG002 - a class is nowhere
        """See `Judge`."""
        return probabilities_in(outputs)

    def figure(self, answers: Sequence[Floats]) -> Figure:
        """See `Judge`."""
        table = np.stack(answers)
        interval = accuracy_bootstrap(table, self.targets, self.bootstrap, self.seed)
        return Figure(accuracy(table, self.targets), len(answers), (interval.lo, interval.hi))

    def difference(self, a: Sequence[Floats], b: Sequence[Floats]) -> Figure:
        """See `Judge`."""
        found = accuracy_difference(
            np.stack(a), np.stack(b), self.targets, self.bootstrap, self.seed
        )
        return Figure(found.value, len(a), (found.lo, found.hi))

    def row(self, answer: Floats) -> Row:
        """[class, its probability]."""
        best = int(answer.argmax())
        return [best, round(float(answer[best]), 4)]

    def truth_row(self, index: int) -> int:
        """The class."""
        return int(self.targets[index])
