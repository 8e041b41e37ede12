"""Which of a machine's labels are wrong."""

from __future__ import annotations

import pytest

from edgefactory.datasets import Label
from edgefactory.datasets.bounds import is_machines, wrong_labels
from edgefactory.datasets.documents import Box

from .conftest import SQUARE, item, said, true

NEAR: Box = (12.0, 10.0, 32.0, 30.0)  # overlaps SQUARE by 0.82
FAR: Box = (40.0, 40.0, 60.0, 60.0)


def _wrong(*labels: Label) -> list[bool]:
    return wrong_labels(item(0, labels, reviewed=True), 0.5)


@pytest.mark.parametrize(("class_", "wrong"), [("a", False), ("b", True)])
def test_a_class_is_wrong_when_no_person_gave_it(class_: str, wrong: bool) -> None:
    assert _wrong(said(class_, 0.9), true("a")) == [wrong]


def test_a_box_is_right_when_it_overlaps_one_of_its_class() -> None:
    assert _wrong(said("a", 0.9, NEAR), true("a", SQUARE)) == [False]
    assert _wrong(said("b", 0.9, NEAR), true("a", SQUARE)) == [True]
    assert _wrong(said("a", 0.9, FAR), true("a", SQUARE)) == [True]
    assert _wrong(said("a", 0.9, SQUARE)) == [True]


def test_of_two_boxes_around_one_thing_the_less_sure_is_wrong() -> None:
    assert _wrong(said("a", 0.5, SQUARE), said("a", 0.9, NEAR), true("a", SQUARE)) == [True, False]


def test_what_is_to_be_ignored_makes_nothing_wrong() -> None:
    ignored = true("a", (0.0, 0.0, 64.0, 35.0), ignore=True)
    assert _wrong(said("a", 0.9, SQUARE), said("a", 0.8, NEAR), ignored) == [False, False]
    assert _wrong(said("a", 0.9, FAR), ignored) == [True]


def test_a_box_that_a_person_rejected_is_not_true() -> None:
    refused = said("a", 0.9, SQUARE, state="rejected")
    assert not is_machines(refused)
    assert _wrong(said("a", 0.9, SQUARE), refused) == [True]


def test_a_box_that_a_person_confirmed_is_a_persons() -> None:
    confirmed = said("a", 0.9, SQUARE, state="reviewed")
    assert not is_machines(confirmed)
    assert _wrong(said("a", 0.9, NEAR), confirmed) == [False]
