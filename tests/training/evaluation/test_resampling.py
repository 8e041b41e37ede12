"""A figure carries its interval, or says why it has none."""

from __future__ import annotations

import numpy as np
import pytest

from edgefactory.training.evaluation import Measure
from edgefactory.training.evaluation.resampling import drawn, measure


def test_the_first_weights_are_ones_and_each_draw_is_of_all_units() -> None:
    weights = drawn(7, 50, 0)
    assert weights.shape == (51, 7)
    assert (weights[0] == 1).all()
    assert (weights.sum(axis=1) == 7).all()
    assert np.array_equal(weights, drawn(7, 50, 0))


def test_the_interval_holds_the_mean_of_what_was_drawn_from() -> None:
    values = np.random.default_rng(0).random(80)
    covered = 0
    for seed in range(100):
        sample = np.random.default_rng(seed).choice(values, 40)
        found = measure(drawn(40, 300, seed) @ sample / 40, 40, 40)
        assert found.interval is not None
        covered += found.interval[0] <= values.mean() <= found.interval[1]
    assert covered >= 88  # of 95 that are to be expected


def test_a_share_without_exception_has_the_exact_interval_and_not_none() -> None:
    perfect = measure(np.ones(101), 20, 20)
    assert perfect.interval == pytest.approx((0.025 ** (1 / 20), 1.0))
    hopeless = measure(np.zeros(101), 20, 20)
    assert hopeless.interval == pytest.approx((0.0, 1 - 0.025 ** (1 / 20)))
    rare = measure(np.zeros(101), 20, 20, event=5.0)
    assert rare.interval == pytest.approx((0.0, 5 * 3.689 / 20), abs=1e-3)


def test_few_units_have_a_value_and_no_interval() -> None:
    assert measure(np.full(101, 0.5), 90, 3) == Measure(
        90, 0.5, why="no interval from 3; 5 are needed"
    )


def test_no_value_says_why() -> None:
    assert measure(np.full(3, np.nan), 0, 5, "no box") == Measure(0, why="no box")
