"""The limits hold what they promise: where it can be counted out, by counting it out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from edgefactory.datasets.outcomes import accuracy_lower, statistic_lower

ALPHA = 0.05
Floats = npt.NDArray[np.float64]


def gains(pictures: int, won: int, lost: int) -> Floats:
    found = np.zeros(pictures)
    found[:won] = 1.0
    found[won : won + lost] = -1.0
    return found


def limit(pictures: int, won: int, lost: int) -> float:
    return accuracy_lower(gains(pictures, won, lost), np.arange(pictures), ALPHA).limit


@pytest.mark.parametrize("pictures", [20, 60])
@pytest.mark.parametrize(("lose", "win"), [(0.05, 0.0), (0.1, 0.05), (0.3, 0.25), (0.5, 0.1)])
def test_of_accuracies_too_high_a_limit_is_as_rare_as_promised(
    pictures: int, lose: float, win: float
) -> None:
    """Summed up over every outcome that there can be: no simulation, no luck."""
    chance = 0.0
    for lost in range(pictures + 1):
        for won in range(pictures + 1 - lost):
            share = stats.multinomial.pmf(
                [lost, won, pictures - lost - won], pictures, [lose, win, 1 - lose - win]
            )
            if share > 1e-9 and limit(pictures, won, lost) > win - lose + 1e-12:
                chance += share
    assert chance <= ALPHA


def test_pictures_on_which_nothing_differs_exclude_no_more_than_they_can() -> None:
    """Of 60 pictures none lost: with 95% confidence fewer than 4.9% are, the rule of three."""
    assert limit(60, 0, 0) == pytest.approx(-(1 - 0.05 ** (1 / 60)))


@given(st.integers(5, 300), st.data())
def test_a_limit_lies_below_the_difference_and_falls_with_every_loss(
    pictures: int, data: st.DataObject
) -> None:
    lost = data.draw(st.integers(0, pictures - 1))
    won = data.draw(st.integers(0, pictures - 1 - lost))
    found = accuracy_lower(gains(pictures, won, lost), np.arange(pictures), ALPHA)
    assert -1.0 <= found.limit <= found.value
    assert limit(pictures, won, lost + 1) <= found.limit + 1e-12


def test_copies_of_a_picture_prove_nothing_more() -> None:
    once = gains(100, 10, 12)
    units = np.repeat(np.arange(100), 4)
    copied = accuracy_lower(np.repeat(once, 4), units, ALPHA)
    alone = accuracy_lower(once, np.arange(100), ALPHA)
    assert copied.limit == pytest.approx(alone.limit, abs=0.003)


@settings(max_examples=25, deadline=None)
@given(st.integers(5, 60), st.integers(0, 2**31 - 1))
def test_of_a_mean_the_limit_is_students_or_lower(units: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(0, 0.2, units)
    found = statistic_lower(lambda weights: weights @ values / weights.sum(1), units, ALPHA)
    error = values.std(ddof=1) / np.sqrt(units)
    assert found.value == pytest.approx(values.mean())
    student = values.mean() - stats.t.ppf(1 - ALPHA, units - 1) * error
    assert -1.0 <= found.limit <= max(-1.0, student) + 1e-9
    assert found.limit <= max(-1.0, found.value - (1 - ALPHA ** (1 / units))) + 1e-9


def test_many_units_are_left_out_in_groups() -> None:
    values = np.random.default_rng(1).normal(0, 0.2, 5000)
    found = statistic_lower(lambda weights: weights @ values / weights.sum(1), 5000, ALPHA)
    assert found.limit == pytest.approx(values.mean() - 1.645 * 0.2 / np.sqrt(5000), abs=0.002)


@pytest.mark.parametrize("units", [1, 4])
def test_a_few_pictures_show_nothing(units: int) -> None:
    found = statistic_lower(lambda weights: weights.sum(axis=1), units, ALPHA)
    assert found.limit == -1.0


def test_a_picture_that_cannot_be_spared_shows_nothing() -> None:
    def only_the_first(weights: Floats) -> Floats:
        return np.where(weights[:, 0] > 0, 0.1, np.nan)

    assert statistic_lower(only_the_first, 10, ALPHA).limit == -1.0
