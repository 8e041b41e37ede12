"""The whole check of small snapshots, with and without a teacher."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from edge_runtime.contract import Audio, audio_picture
from edge_runtime.contract.codec import encode
from edgefactory.datasets import Header
from edgefactory.datasets.checks import KINDS, check_data, read_check
from edgefactory.datasets.documents import Task
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.teachers import Found, classified, detected

from .pictures import Pixels, Shot, digits, said, still, write

STREET = Header("street", "detection", ("person",), "human")
DIGITS = Header("digits", "classification", tuple("0123456789"), "human")


class Walkers:
    """A teacher that finds the light figure of `still`, and is sure of it."""

    task: Task = "detection"
    digest = "5" * 64

    def __init__(self, classes: tuple[str, ...] = ("person",)) -> None:
        self.classes = classes

    def predict(self, pictures: Sequence[Pixels]) -> list[Found]:
        return [self._look(picture) for picture in pictures]

    def _look(self, picture: Pixels) -> Found:
        rows, columns = np.nonzero(picture.min(axis=2) > 225)
        box = [[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]]
        size = (picture.shape[1], picture.shape[0])
        return detected(np.asarray(box, np.float32), np.ones(1, np.float32), np.zeros(1, int), size)


class Reader:
    """A classifier that always reads 3."""

    task: Task = "classification"
    digest = "6" * 64
    classes = DIGITS.classes

    def predict(self, pictures: Sequence[Pixels]) -> list[Found]:
        return [classified(np.eye(10, dtype=np.float32)[3]) for _ in pictures]


def street(labels: bool = True) -> list[Shot]:
    """Twenty frames with a label on the light figure."""
    shots = []
    for index in range(20):
        left = float((10 + 60 + 7 * index) % 144)
        told = (said("person", (left, 70.0, left + 12, 100.0)),) if labels else ()
        shots.append(Shot(still(index), told, frame=index))
    return shots


def test_a_clean_street_has_nothing_to_look_at(tmp_path: Path) -> None:
    write(tmp_path / "s", STREET, street())
    report = check_data(tmp_path / "s", Walkers())
    assert report.findings == ()
    assert report.teacher == "5" * 64
    assert set(report.found) | set(report.skipped) == set(KINDS)
    assert set(report.skipped) == {"label-error"}


def test_boxes_are_held_against_the_teacher(tmp_path: Path) -> None:
    shots = street()
    shots[3] = Shot(shots[3].pixels, (), frame=3)
    label = shots[8].labels[0]
    shots[8] = Shot(shots[8].pixels, (label, said("person", (60.0, 2.0, 72.0, 18.0))), frame=8)
    ids = write(tmp_path / "s", STREET, shots)
    report = check_data(tmp_path / "s", Walkers())
    assert [f.items for f in report.of("missing-box")] == [(ids[3],)]
    assert [(f.items, f.label) for f in report.of("unseen-box")] == [((ids[8],), 1)]


def test_without_a_teacher_it_says_what_was_not_looked_for(tmp_path: Path) -> None:
    write(tmp_path / "s", STREET, street())
    report = check_data(tmp_path / "s")
    assert {"missing-box", "misplaced-box", "unseen-box"} <= set(report.skipped)
    assert report.teacher is None


def test_digits_with_wrong_classes_and_a_leak(tmp_path: Path) -> None:
    pictures, names = digits(200)
    shots = [
        Shot(p, (said(n),), frame=i) for i, (p, n) in enumerate(zip(pictures, names, strict=True))
    ]
    wrong = list(range(5, 200, 20))
    for index in wrong:
        other = str((int(names[index]) + 4) % 10)
        shots[index] = Shot(pictures[index], (said(other),), frame=index)
    darker = np.clip(pictures[50].astype(np.int16) - 3, 0, 255).astype(np.uint8)
    shots.append(Shot(darker, (said(names[50]),), "test"))
    ids = write(tmp_path / "s", DIGITS, shots)
    steps: list[str] = []
    report = check_data(tmp_path / "s", progress=lambda _d, _t, text: steps.append(text))
    assert [f.items for f in report.of("leak")] == [(ids[-1], ids[50])]
    found = {f.items[0] for f in report.of("label-error")}
    assert len(found & {ids[index] for index in wrong}) >= 6
    assert len(found) <= 14
    assert "looking at pictures" in steps


def test_a_classifier_judges_labels(tmp_path: Path) -> None:
    pictures, names = digits(60)
    shots = [Shot(p, (said(n),)) for p, n in zip(pictures, names, strict=True)]
    ids = write(tmp_path / "s", DIGITS, shots)
    errors = check_data(tmp_path / "s", Reader()).of("label-error")
    assert {e.expected for e in errors} == {"3"}
    threes = {item for item, name in zip(ids, names, strict=True) if name == "3"}
    assert threes.isdisjoint(e.items[0] for e in errors)


def test_a_teacher_that_cannot_judge_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "s", STREET, street()[:2])
    with pytest.raises(InputError, match="does classification"):
        check_data(tmp_path / "s", Reader())
    with pytest.raises(InputError, match="classes are person"):
        check_data(tmp_path / "s", Walkers(("car",)))


def test_a_picture_with_other_bytes_is_named(tmp_path: Path) -> None:
    (first, *_) = write(tmp_path / "s", STREET, street()[:3])
    (tmp_path / "s" / "images" / f"{first}.png").write_bytes(b"something else")
    with pytest.raises(InputError, match=first):
        check_data(tmp_path / "s")


def test_no_snapshot_no_check(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        check_data(tmp_path)


def test_the_report_reads_as_it_was_written(tmp_path: Path) -> None:
    write(tmp_path / "s", STREET, [*street(labels=False), Shot(np.zeros((9, 9, 3), np.uint8))])
    report = check_data(tmp_path / "s")
    assert report.found["dark"] == 1
    (tmp_path / "check.json").write_bytes(encode(report))
    assert read_check(tmp_path / "check.json") == report


def test_sequences_are_not_judged_as_photographs(tmp_path: Path) -> None:
    """A pause is no dark picture."""
    signal = Audio(8000, 200, 80, 24, 20.0, 4000.0, -80.0, 48)
    random = np.random.default_rng(0)
    shots = []
    for number in range(24):
        loud = 0.2 if number % 6 else 1e-3
        samples = random.normal(0, loud, signal.samples).clip(-1, 1).astype(np.float32)
        shots.append(Shot(audio_picture(samples, signal), (said("yes"),), frame=number))
    header = Header("words", "classification", ("no", "yes"), "human")
    write(tmp_path / "pictures", header, shots)
    found = check_data(tmp_path / "pictures").found
    assert found["dark"] == 4
    write(tmp_path / "sequences", replace(header, signal=signal), shots)
    report = check_data(tmp_path / "sequences")
    for kind in ("near-duplicate", "dark", "over-exposed", "blurred", "occluded"):
        assert report.skipped[kind] == "these pictures are sequences, no photographs"
    assert report.found["exact-duplicate"] == 0
    assert not report.findings[1:]  # that there is one class only
