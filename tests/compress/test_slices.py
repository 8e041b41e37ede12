"""Figures of parts of the pictures: those that `evaluate` gives, none where a part is too small."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.contract import OperatingPoint, digest
from edgefactory.compress.claims import Others
from edgefactory.compress.slices import slice_evidence
from edgefactory.compress.subjects import Subject
from edgefactory.datasets.documents import Item, Label, Snapshot
from edgefactory.training import Detections
from edgefactory.training.evaluation import Judging

SHA = digest(b"model")
SUBJECT = Subject("onnx-int8", "onnxruntime", "int8", SHA, (SHA,), 1)
JUDGING = Judging(draws=50, worst=0)
MORNING = 1_700_031_600.0  # 2023-11-15 07:00 UTC
SMALL, LARGE = (10.0, 10.0, 25.0, 25.0), (40.0, 10.0, 240.0, 210.0)


def item(number: int, source: str, at: float, labels: list[Label]) -> Item:
    sha = digest(str(number).encode())
    return Item(
        id=sha,
        file=f"images/{sha}.jpg",
        width=320,
        height=240,
        source=source,
        frame=number,
        captured_at=at,
        split="test",
        labels=tuple(labels),
    )


def label(name: str, box: tuple[float, float, float, float] | None = None) -> Label:
    return Label(name, box, "human:a person", 1.0, "reviewed")


def on(task: str, items: list[Item], classes: tuple[str, ...]) -> Others:
    data = Snapshot("some", task, classes, "human", None, tuple(items))  # type: ignore[arg-type]
    return Others(data, classes, "0" * 64, OperatingPoint(0.5, "by hand"))


def test_a_detector_on_each_size_camera_and_time_of_day() -> None:
    """It finds the large ones, and of the small ones only those in the hall."""
    boxes = [label("person", SMALL), label("person", LARGE)]
    items = [
        item(n, "hall" if n < 12 else "yard", MORNING + 6 * 3600 * (n % 2), boxes)
        for n in range(24)
    ]
    found = np.asarray([SMALL, LARGE])
    answers = [
        Detections(
            found if n < 12 else found[1:],
            np.full(2 if n < 12 else 1, 0.9),
            np.zeros(2 if n < 12 else 1, np.int64),
        )
        for n in range(24)
    ]
    book = slice_evidence(on("detection", items, ("person",)), {SUBJECT: answers}, JUDGING)
    assert {one.metric for one in book} == {"ap50"}
    values = {one.slice: one.value for one in book}
    assert values.keys() == {
        *("size:small", "size:large", "source:hall", "source:yard"),
        *("time:06:00-12:00", "time:12:00-18:00"),
    }
    assert values["source:hall"] == values["size:large"] == pytest.approx(1.0)
    assert values["source:yard"] == pytest.approx(0.5, abs=0.01)
    for one in book:
        assert one.interval is not None
        assert one.interval[0] <= one.value <= one.interval[1]
        assert one.file_sha256 == SHA


def test_a_classifier_on_each_class_with_enough_pictures() -> None:
    """Of twelve sevens it reads nine; two nines are too few to tell."""
    kinds = ["7"] * 12 + ["1"] * 12 + ["9"] * 2
    items = [item(n, "scanner", float(n), [label(kind)]) for n, kind in enumerate(kinds)]
    classes = ("1", "7", "9")
    said = [0 if n < 3 else classes.index(kind) for n, kind in enumerate(kinds)]
    answers = [np.eye(3)[number] for number in said]
    book = slice_evidence(on("classification", items, classes), {SUBJECT: answers}, JUDGING)
    assert {(one.metric, one.slice): one.value for one in book} == {
        ("accuracy", "class:1"): 1.0,
        ("accuracy", "class:7"): 0.75,
    }
    assert {one.n for one in book} == {12}
