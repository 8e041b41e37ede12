"""A teacher's objections: missing, misplaced, unseen, of another class; and what is none."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace

from edgefactory.datasets import Item, Label
from edgefactory.datasets.checks.agreement import Doubt, find_doubts, judged
from edgefactory.datasets.documents import Box
from edgefactory.datasets.teachers import Found, detected

from .pictures import said

CLASSES = {"person": 0, "cat": 1}
HERE: Box = (100.0, 100.0, 140.0, 200.0)
BESIDE: Box = (125.0, 110.0, 165.0, 210.0)
THERE: Box = (400.0, 100.0, 440.0, 200.0)


def seen(*boxes: tuple[Box, float, int]) -> Found:
    corners = np.asarray([box for box, _, _ in boxes], np.float32).reshape(-1, 4)
    scores = np.asarray([score for _, score, _ in boxes], np.float32)
    return detected(corners, scores, np.asarray([c for *_, c in boxes], np.int64), (640, 480))


def doubts_of(
    labels: tuple[Label, ...], found: Found, bare: bool | None = None
) -> list[tuple[str, int | None]]:
    """What is doubted in one picture, beside twenty in which label and teacher agree."""
    name = "0" * 64
    item = Item(name, f"images/{name}.png", 640, 480, "cam", 0, 0.0, "train", labels)
    agreed = replace(item, labels=(said("person", HERE), said("cat", THERE)))
    usual = seen((HERE, 0.8, 0), (THERE, 0.8, 1))
    compared = [judged(i, agreed, usual, CLASSES) for i in range(1, 21)]
    doubts: list[Doubt] = find_doubts(
        [judged(0, item, found, CLASSES), *compared], ("person", "cat"), lambda *_: bare
    )
    assert all(doubt.picture == 0 for doubt in doubts)
    return [(doubt.kind, doubt.label) for doubt in doubts]


def test_agreement_is_silent() -> None:
    assert doubts_of((said("person", HERE),), seen((HERE, 0.3, 0))) == []


def test_a_sure_find_without_a_label_is_missing() -> None:
    assert doubts_of((), seen((HERE, 0.9, 0))) == [("missing-box", None)]
    assert doubts_of((), seen((HERE, 0.6, 0))) == []


def test_a_label_beside_the_find_is_misplaced() -> None:
    assert doubts_of((said("person", BESIDE),), seen((HERE, 0.9, 0))) == [("misplaced-box", 0)]


def test_a_label_where_nothing_is_found_is_unseen() -> None:
    labels = (said("person", HERE), said("person", THERE))
    assert doubts_of(labels, seen((HERE, 0.9, 0))) == [("unseen-box", 1)]
    assert doubts_of(labels, seen((HERE, 0.9, 0)), bare=False) == []


def test_a_weak_find_speaks_for_a_label() -> None:
    assert doubts_of((said("person", HERE),), seen((HERE, 0.06, 0))) == []


def test_another_class_in_the_same_box_is_a_label_error() -> None:
    assert doubts_of((said("cat", HERE),), seen((HERE, 0.9, 0))) == [("label-error", 0)]
    assert doubts_of((said("cat", HERE),), seen((HERE, 0.4, 0))) == []


def test_what_is_queued_rejected_or_ignored_is_no_news() -> None:
    label = said("person", HERE)
    for known in (
        replace(label, state="queued"),
        replace(label, state="rejected"),
        replace(label, ignore=True),
    ):
        assert doubts_of((known,), seen((HERE, 0.9, 0))) == []


def test_a_box_around_two_labels_is_the_teachers_error() -> None:
    pair = ((100.0, 100.0, 140.0, 200.0), (142.0, 100.0, 182.0, 200.0))
    labels = tuple(said("person", box) for box in pair)
    around = (100.0, 100.0, 182.0, 200.0)
    assert ("missing-box", None) not in doubts_of(labels, seen((around, 0.95, 0)))


def test_labels_of_classes_that_the_teacher_does_not_know_are_not_judged() -> None:
    name = "0" * 64
    labels = (said("dog", HERE),)
    item = Item(name, f"images/{name}.png", 640, 480, "cam", 0, 0.0, "train", labels)
    one = judged(0, item, seen((HERE, 0.9, 0)), CLASSES)
    assert find_doubts([one], ("person", "cat", "dog"), lambda *_: None) == []
