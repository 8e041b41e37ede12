"""How long an epoch will take, guessed from epochs of others."""

from __future__ import annotations

import pytest

from edgefactory.training import Recipe
from edgefactory.training.tuning.pace import epoch_seconds, whole_run

KNOWN = Recipe(resolution=(64, 64), width=32, batch=16)


def guess(recipe: Recipe) -> float:
    found = epoch_seconds(recipe, [(KNOWN, 1.0)])
    assert found is not None
    return found / own()


def own() -> float:
    found = epoch_seconds(KNOWN, [(KNOWN, 1.0)])
    assert found is not None
    return found


def test_nothing_known_is_no_guess_and_the_same_takes_a_little_more() -> None:
    assert epoch_seconds(KNOWN, []) is None
    assert 1.0 < own() < 1.5


def test_channels_and_pixels_cost_and_a_small_network_is_not_free() -> None:
    assert guess(Recipe(resolution=(64, 64), width=64)) == pytest.approx(2.0)
    assert guess(Recipe(resolution=(128, 64), width=32)) == pytest.approx(2.0)
    assert guess(Recipe(resolution=(128, 128), width=16)) == pytest.approx(2.0)
    assert guess(Recipe(resolution=(16, 16), width=16)) == pytest.approx(0.5)


def test_smaller_batches_take_more_steps() -> None:
    assert guess(Recipe(resolution=(64, 64), width=32, batch=4)) == pytest.approx(2.0)


def test_a_whole_run_is_a_share_of_the_time_and_the_recipes_own_where_two_of_those_fit() -> None:
    long = [whole_run(seconds, 1.0, 30, fixed=False) for seconds in (2000, 400, 10_000)]
    assert long == [300, 60, 300]
    assert [whole_run(seconds, 1.0, 30, fixed=False) for seconds in (190, 80)] == [30, 30]
    assert [whole_run(seconds, 1.0, 30, fixed=False) for seconds in (60, 1)] == [24, 1]
    assert whole_run(2000, 1.0, 30, fixed=True) == 30
