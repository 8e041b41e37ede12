"""The operating point: best F1, least cost, or enough precision, on what it is chosen by."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefactory.datasets.errors import InputError
from edgefactory.training.evaluation import Costs, Shown, best_f1, cheapest, parse_costs, precise
from edgefactory.training.evaluation.operating import between
from edgefactory.training.metrics import Detections, Truth

from .made import crowd, found, truth

_LEFT, _RIGHT, _ELSEWHERE = (0, 0, 10, 10), (20, 0, 30, 10), (50, 50, 60, 60)


def shown(answers: list[Detections], truths: list[Truth]) -> Shown:
    return Shown("val", answers, truths)


def test_best_f1_lies_halfway_between_the_last_good_and_the_first_bad_score() -> None:
    seen = found((*_LEFT, 0.9), (*_RIGHT, 0.6), (*_ELSEWHERE, 0.2))
    point = best_f1(shown([seen], [truth(_LEFT, _RIGHT)]))
    assert point.score_threshold == 0.4
    assert point.chosen_by == "best F1 (1.000) on 1 pictures of the split val"


def test_a_second_box_on_the_same_person_is_a_false_alarm() -> None:
    seen = found((*_LEFT, 0.9), (*_LEFT, 0.8))
    assert best_f1(shown([seen], [truth(_LEFT)])).score_threshold == 0.85


def test_what_lies_on_an_ignored_box_counts_neither_way() -> None:
    seen = found((*_RIGHT, 0.95), (*_LEFT, 0.9))
    point = best_f1(shown([seen], [truth(_LEFT, _RIGHT, ignore=[1])]))
    assert point.score_threshold == 0.45
    assert "1.000" in point.chosen_by


def test_without_anything_to_find_it_says_that_it_is_a_default() -> None:
    point = best_f1(shown([found()], [truth()]))
    assert point.score_threshold == 0.3
    assert point.chosen_by.startswith("a default")
    with pytest.raises(InputError, match="the split val holds no box to find"):
        cheapest(shown([found()], [truth()]), Costs())


def test_the_dearer_a_miss_the_lower_the_threshold() -> None:
    seen = found((*_LEFT, 0.9), (*_ELSEWHERE, 0.7), (50, 0, 60, 10, 0.6), (*_RIGHT, 0.5))
    here = shown([seen], [truth(_LEFT, _RIGHT)])
    assert cheapest(here, Costs(fn=1, fp=1)).score_threshold == 0.8
    dear = cheapest(here, Costs(fn=5, fp=1))
    assert dear.score_threshold == 0.25
    assert dear.chosen_by.startswith("least cost at fn=5, fp=1 (2 a picture) on 1 pictures")
    nothing = cheapest(here, Costs(fn=0, fp=1))
    assert nothing.score_threshold == 0.95


@given(seed=st.integers(0, 2**32), fn=st.floats(0.1, 9), fp=st.floats(0.1, 9))
def test_no_other_threshold_costs_less(seed: int, fn: float, fp: float) -> None:
    answers, truths = crowd(np.random.default_rng(seed), 6, 2, coarse=True)
    here = shown(answers, truths)
    trade = here.trade()
    if trade is None:
        return

    def cost(threshold: float) -> float:
        _, alarms, missed = trade.counted(threshold)
        return float(fn * missed.sum() + fp * alarms.sum())

    chosen = cost(cheapest(here, Costs(fn, fp)).score_threshold)
    assert all(chosen <= cost(other) + 1e-9 for other in np.linspace(0.0, 1.0, 41))


def test_precision_takes_the_lowest_threshold_that_reaches_it_and_says_how_sure_that_is() -> None:
    rows = [(*_LEFT, 0.9), (*_ELSEWHERE, 0.8), (*_RIGHT, 0.7), (50, 0, 60, 10, 0.6)]
    here = shown([found(*rows)] * 6, [truth(_LEFT, _RIGHT)] * 6)
    point = precise(here, 0.6, 100, 0)
    assert point.score_threshold == 0.65
    assert "precision 0.6 (0.667, 95% interval from 0.667) on 6 pictures" in point.chosen_by
    assert precise(here, 0.9, 100, 0).score_threshold == 0.85


def test_a_precision_that_is_out_of_reach_is_refused_with_the_best_there_is() -> None:
    seen = found((*_ELSEWHERE, 0.9), (*_LEFT, 0.8))
    with pytest.raises(InputError, match=r"no threshold reaches .* 0\.9 .* best is 0\.500, .*0\.4"):
        precise(shown([seen], [truth(_LEFT)]), 0.9, 100, 0)


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_middle_of_two_scores_keeps_them_apart(a: float, b: float) -> None:
    low, high = sorted((a, b))
    middle = between(low, high)
    assert low < middle <= high or low == middle == high


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("fn=5,miss=1", "found 'miss'; expected fn and fp"),
        ("fn=5,fn=1", "found 'fn'"),
        ("fn=dear", "fn is 'dear'"),
        ("fn=-1", "fn is '-1'"),
        ("fp=nan", "fp is 'nan'"),
        ("fn=0,fp=0", "at least one cost above 0"),
        ("", "found ''"),
    ],
)
def test_wrong_costs_are_refused(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        parse_costs(text)


def test_costs_are_read() -> None:
    assert parse_costs("fn=5, fp=1") == Costs(5.0, 1.0)
    assert parse_costs("fn=2") == Costs(2.0, 0.0)
