"""The operating point: best F1, ignoring what is to be ignored."""

import numpy as np

from edgefactory.compress.operating_point import choose
from edgefactory.training.metrics import Detections, Truth

_LEFT, _RIGHT, _ELSEWHERE = [0, 0, 10, 10], [20, 0, 30, 10], [50, 50, 60, 60]


def _found(*scored: tuple[list[int], float]) -> Detections:
    return Detections(
        np.asarray([box for box, _ in scored], np.float64).reshape(-1, 4),
        np.asarray([score for _, score in scored], np.float64),
        np.zeros(len(scored), np.int64),
    )


def _truth(*boxes: list[int], ignore: tuple[bool, ...] | None = None) -> Truth:
    flags = ignore if ignore is not None else (False,) * len(boxes)
    return Truth(
        np.asarray(boxes, np.float64).reshape(-1, 4),
        np.zeros(len(boxes), np.int64),
        np.asarray(flags, np.bool_),
    )


def test_it_lies_halfway_between_the_last_good_and_the_first_bad_score() -> None:
    found = _found((_LEFT, 0.9), (_RIGHT, 0.6), (_ELSEWHERE, 0.2))
    point = choose([found], [_truth(_LEFT, _RIGHT)])
    assert point.score_threshold == 0.4
    assert "best F1 (1.000) on 1 pictures" in point.chosen_by


def test_a_second_box_on_the_same_person_is_a_false_alarm() -> None:
    found = _found((_LEFT, 0.9), (_LEFT, 0.8))
    assert choose([found], [_truth(_LEFT)]).score_threshold == 0.85


def test_what_lies_on_an_ignored_box_counts_neither_way() -> None:
    found = _found((_RIGHT, 0.95), (_LEFT, 0.9))
    point = choose([found], [_truth(_LEFT, _RIGHT, ignore=(False, True))])
    assert point.score_threshold == 0.45
    assert "1.000" in point.chosen_by


def test_without_anything_to_find_it_says_that_it_is_a_default() -> None:
    point = choose([_found()], [_truth()])
    assert point.score_threshold == 0.3
    assert point.chosen_by.startswith("a default")
