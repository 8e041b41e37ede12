"""Boxes, answers and subjects that the tests of `edgefactory.training.evaluation` share."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edge_runtime.contract import Task
from edgefactory.datasets import Item, Split
from edgefactory.training.evaluation import Data, Judging, Model, Subject
from edgefactory.training.metrics import Detections, Truth

Row = tuple[float, ...]


def found(*rows: Row) -> Detections:
    """Detections of (x0, y0, x1, y1, score[, class])."""
    table = np.array([[*row, 0.0][:6] for row in rows], np.float64).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4], table[:, 5].astype(np.int64))


def truth(*rows: Row, ignore: Sequence[int] = ()) -> Truth:
    """Truth boxes of (x0, y0, x1, y1[, class]); `ignore` numbers those that are to be ignored."""
    table = np.array([[*row, 0.0][:5] for row in rows], np.float64).reshape(-1, 5)
    flags = np.zeros(len(rows), np.bool_)
    flags[list(ignore)] = True
    return Truth(table[:, :4], table[:, 4].astype(np.int64), flags)


def item(number: int, source: str = "cam", captured_at: float | None = None) -> Item:
    """A picture of 200x200 pixels without labels."""
    name = hashlib.sha256(str(number).encode()).hexdigest()
    at = float(number) if captured_at is None else captured_at
    split: Split = "test"
    return Item(name, f"images/{name}.jpg", 200, 200, source, number, at, split, ())


def items(count: int) -> list[Item]:
    """So many pictures of one camera."""
    return [item(number) for number in range(count)]


def subject(classes: Sequence[str], task: Task = "detection", **judging: object) -> Subject:
    """A made-up model and data, judged with 200 draws where nothing else is said."""
    model = Model("onnx", "m.onnx", task, tuple(classes), {}, "onnxruntime", "1", "f32", 1)
    data = Data("0" * 64, "toy", "test", "human", 1, 0)
    settings: dict[str, object] = {"draws": 200, **judging}
    return Subject(model, data, Judging(**settings))  # type: ignore[arg-type]  # by name


def crowd(
    generator: np.random.Generator, pictures: int, classes: int, coarse: bool = False
) -> tuple[list[Detections], list[Truth]]:
    """Random pictures: truth with boxes to be ignored, found with errors, doubled, or made up.

    `coarse`: whole tens and few scores, so that IoUs and scores are often equal.
    """
    answers, truths = [], []
    for _ in range(pictures):
        count = int(generator.integers(0, 6))
        corner = generator.uniform(0, 200, (count, 2))
        boxes = np.hstack([corner, corner + generator.uniform(4, 140, (count, 2))])
        said = int(generator.integers(0, 12)) if count else 0
        about = generator.integers(0, max(count, 1), said)
        wrong = generator.normal(0, 6, (said, 4)) * (generator.random((said, 1)) < 0.8)
        made = boxes[about] + wrong
        if coarse:
            boxes, made = np.round(boxes, -1), np.round(made, -1)
            boxes[:, 2:] += 10
            made[:, 2:] += 10
        made[:, :2] = np.minimum(made[:, :2], made[:, 2:] - 1)
        kinds = generator.integers(0, classes, count)
        named = np.where(
            generator.random(said) < 0.8, kinds[about], generator.integers(0, classes, said)
        )
        scores: npt.NDArray[np.float64] = np.round(generator.random(said), 1 if coarse else 6)
        answers.append(Detections(made, scores, named.astype(np.int64)))
        truths.append(Truth(boxes, kinds.astype(np.int64), generator.random(count) < 0.2))
    return answers, truths
