"""What a model's outputs are worth: answers a picture, judged against the test split's labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from edge_runtime.contract import Outputs, Placement, decide
from edgefactory.compress.subjects import Figure
from edgefactory.datasets import Item, Snapshot
from edgefactory.datasets.errors import InputError
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
        found = decide("detection", outputs, 0, self.lowest)
        boxes = place.to_picture(np.asarray(found.boxes, np.float32).reshape(-1, 4))
        return Detections(
            boxes.astype(np.float64),
            np.asarray(found.scores, np.float64),
            np.asarray(found.labels, np.int64),
        )

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
        decide("classification", outputs, 0, 0.0)  # refuses what is not finite probabilities
        probabilities: Floats = np.asarray(outputs["probabilities"], np.float64)[0]
        return probabilities

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


def truth_of(item: Item, classes: Mapping[str, int]) -> Truth:
    """The labels of a picture as truth. What nobody has decided yet (queued) is to be ignored."""
    labels = [label for label in item.labels if label.state != "rejected" and label.box]
    return Truth(
        np.asarray([label.box for label in labels], np.float64).reshape(-1, 4),
        np.asarray([classes[label.class_] for label in labels], np.int64),
        np.asarray([label.ignore or label.state == "queued" for label in labels], np.bool_),
    )


def class_of(item: Item, classes: Mapping[str, int]) -> int:
    """The class of a picture. Raises InputError when it has none, or more than one."""
    names = {label.class_ for label in item.labels if label.state in ("accepted", "reviewed")}
    if len(names) != 1:
        raise InputError(f"picture {item.file} has the classes {sorted(names)}; expected one")
    return classes[names.pop()]


def numbers(snapshot: Snapshot) -> dict[str, int]:
    """The classes' numbers by name."""
    return {name: number for number, name in enumerate(snapshot.classes)}
