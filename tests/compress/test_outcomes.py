"""What is kept of answers gives the very figures that the answers give."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.contract import digest
from edgefactory.compress.answers import Answer
from edgefactory.compress.outcomes import Asked, outcomes
from edgefactory.compress.subjects import Subject
from edgefactory.datasets.documents import Item, Label, Snapshot, Task
from edgefactory.datasets.outcomes import encode_outcomes, figure, parse_outcomes
from edgefactory.training import Detections, accuracy, ap50
from edgefactory.training import evaluation as ev

CLASSES = ("cat", "dog")


def subject(name: str) -> Subject:
    return Subject(name, "onnxruntime", "f32", digest(name.encode()), (digest(name.encode()),), 1)


def snapshot(labels: Sequence[tuple[Label, ...]], *, boxes: bool) -> Snapshot:
    items = tuple(
        Item(
            id=(sha := digest(str(number).encode())),
            file=f"images/{sha}.png",
            width=100,
            height=100,
            source="camera",
            frame=number,
            captured_at=float(number),
            split="test",
            labels=one,
        )
        for number, one in enumerate(labels)
    )
    task: Task = "detection" if boxes else "classification"
    return Snapshot("s", task, CLASSES, "human", None, items)


def label(class_: str, box: tuple[float, float, float, float] | None, ignore: bool) -> Label:
    return Label(class_, box, "human:me", 1.0, "reviewed", ignore)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31 - 1))
def test_boxes_give_the_same_ap50(seed: int) -> None:
    random = np.random.default_rng(seed)

    def some(count: int) -> npt.NDArray[np.float64]:
        corners = random.uniform(0, 60, (count, 2)).round()
        return np.hstack([corners, corners + random.uniform(10, 40, (count, 2)).round()])

    labels = [
        tuple(
            label(CLASSES[random.integers(2)], tuple(map(float, box)), bool(random.random() < 0.2))  # type: ignore[arg-type]  # four of them
            for box in some(int(random.integers(0, 4)))
        )
        for _ in range(8)
    ]
    labels[0] = (label("cat", (0.0, 0.0, 20.0, 20.0), False),)
    data = snapshot(labels, boxes=True)
    truths = [ev.truth_of(item, {"cat": 0, "dog": 1}) for item in data.items]
    answers: list[Answer] = []
    for truth in truths:
        near = truth.boxes + random.normal(0, 3, truth.boxes.shape)
        boxes = np.vstack([near, some(2)])
        count = len(boxes)
        answers.append(Detections(boxes, random.random(count), random.integers(0, 2, count)))
    found = outcomes(Asked(data, "0" * 64, CLASSES), {subject("a"): answers}, 0.0)
    assert parse_outcomes(encode_outcomes(found), "it") == found
    said = [answer for answer in answers if isinstance(answer, Detections)]
    assert figure(found, found.subjects[0]) == pytest.approx(ap50(said, truths), abs=1e-12)


def test_classes_give_the_same_accuracy() -> None:
    random = np.random.default_rng(3)
    targets = random.integers(0, 2, 50)
    data = snapshot([(label(CLASSES[t], None, False),) for t in targets], boxes=False)
    table = random.random((50, 2))
    found = outcomes(Asked(data, "0" * 64, CLASSES), {subject("a"): list(table)}, 0.0)
    assert found.captured is None
    assert figure(found, found.subjects[0]) == accuracy(table, targets)
