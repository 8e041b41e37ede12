"""What speaks for asking about a picture, as numbers from 0 to 1."""

from __future__ import annotations

import pytest

from edgefactory.datasets import Item
from edgefactory.datasets.asking import Reason, uncertainty, worth
from edgefactory.datasets.asking.signals import disagreement, gaps, reasons
from edgefactory.datasets.tracks import TrackSettings

from .pools import said

TRACKS = TrackSettings(gap=1, flicker=0)
LEFT, RIGHT = (10.0, 10.0, 30.0, 50.0), (60.0, 10.0, 80.0, 50.0)


def test_a_classifier_is_unsure_when_its_best_classes_are_close() -> None:
    close = [said("cat", 0.45), said("dog", 0.40)]
    clear = [said("cat", 0.90), said("dog", 0.05)]
    assert uncertainty(close, "classification") == pytest.approx(0.95)
    assert uncertainty(clear, "classification") == pytest.approx(0.15)


def test_a_classifier_that_names_one_class_is_as_unsure_as_its_score() -> None:
    assert uncertainty([said("cat", 0.7)], "classification") == pytest.approx(0.3)
    assert uncertainty([], "classification") == 1


def test_a_detector_is_as_unsure_as_its_least_sure_box() -> None:
    sure, unsure = said("person", 0.95, LEFT), said("person", 0.4, RIGHT)
    assert uncertainty([sure], "detection") == pytest.approx(0.05)
    assert uncertainty([sure, unsure], "detection") == pytest.approx(0.4)
    assert uncertainty([], "detection") == 0


def test_classifiers_disagree_about_the_best_class_only() -> None:
    one, other = [said("cat", 0.9), said("dog", 0.1)], [said("dog", 0.7), said("cat", 0.3)]
    assert disagreement(one, other, "classification") == pytest.approx(0.8)
    assert disagreement(one, one[:1], "classification") == 0
    assert disagreement(one, [], "classification") == 0


def test_detectors_disagree_about_a_box_that_one_of_them_lacks() -> None:
    both, more = (
        [said("person", 0.9, LEFT)],
        [said("person", 0.8, LEFT), said("person", 0.6, RIGHT)],
    )
    assert disagreement(both, more, "detection") == pytest.approx(0.6)
    assert disagreement(more, both, "detection") == pytest.approx(0.6)
    assert disagreement(both, both, "detection") == 0
    assert disagreement(both, [], "detection") == pytest.approx(0.9)


def test_a_box_of_another_class_confirms_nothing() -> None:
    one, other = [said("person", 0.9, LEFT)], [said("car", 0.7, LEFT)]
    assert disagreement(one, other, "detection") == pytest.approx(0.9)


def _frames(*scores: float | None, reviewed: bool = False) -> list[Item]:
    """Frames 0.2 s apart of a person who stands still, with that score; None: not found."""
    return [
        Item(
            id=f"{index:064d}",
            file=f"images/{index:064d}.jpg",
            width=100,
            height=100,
            source="camera",
            frame=index,
            captured_at=index / 5,
            split="train",
            labels=() if score is None else (said("person", score, LEFT),),
            reviewed=reviewed,
        )
        for index, score in enumerate(scores)
    ]


def test_who_was_there_before_and_after_was_missed_between() -> None:
    assert gaps(_frames(0.9, None, 0.8, 0.9), TRACKS) == {f"{1:064d}": pytest.approx(0.8)}


def test_a_queued_box_fills_no_gap() -> None:
    assert gaps(_frames(0.9, 0.3, 0.9), TRACKS) == {f"{1:064d}": pytest.approx(0.9)}


def test_who_came_or_went_left_no_gap() -> None:
    assert gaps(_frames(None, 0.9, 0.9, None, None), TRACKS) == {}


def test_where_a_person_has_looked_there_is_no_gap() -> None:
    assert gaps(_frames(0.9, None, 0.9, reviewed=True), TRACKS) == {}


def test_signals_add_up_and_never_come_to_nothing() -> None:
    assert worth({"uncertain": 0.5, "motion": 0.5}) == pytest.approx(0.75)
    assert worth({"uncertain": 0.3, "gap": 1.0}) == 1
    assert 0 < worth({"uncertain": 0.0}) < 0.05


def test_reasons_are_named_strongest_first() -> None:
    signals: dict[Reason, float] = {"uncertain": 0.3, "motion": 0.8, "gap": 0.1}
    assert reasons(signals) == ("motion", "uncertain")
    assert reasons({"uncertain": 0.1}) == ("unlike",)
