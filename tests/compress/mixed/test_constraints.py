"""Margins and drops."""

import math

import pytest

from edgefactory.compress.mixed import Drop, Margins
from edgefactory.compress.mixed.constraints import worst
from edgefactory.datasets.errors import InputError


def test_a_single_slice_may_have_its_own_margin() -> None:
    margins = Margins(0.005, 0.02, {"class:person": 0.01})
    assert margins.of("all", "all") == 0.005
    assert margins.of("class", "person") == 0.01
    assert margins.of("source", "door") == 0.02


def test_slices_are_left_out_but_for_named_ones() -> None:
    margins = Margins(0.005, None, {"source:door": 0.01})
    assert margins.of("class", "person") is None
    assert margins.of("source", "door") == 0.01


@pytest.mark.parametrize("margin", [-0.001, 1.5, math.nan])
def test_a_margin_that_even_float_does_not_keep_is_refused(margin: float) -> None:
    with pytest.raises(InputError, match=r"the margin of class:person is .*; even the float model"):
        Margins(named={"class:person": margin})


def test_a_margin_that_is_met_is_kept() -> None:
    assert Drop("all", "all", 0.3 - 0.2, 0.1, 9).excess <= 1
    assert Drop("all", "all", 0.11, 0.1, 9).excess > 1


def test_a_margin_of_nothing_allows_gains_only() -> None:
    assert Drop("all", "all", 0.0, 0.0, 9).excess <= 1
    assert Drop("all", "all", -0.1, 0.0, 9).excess <= 1
    assert Drop("all", "all", 0.001, 0.0, 9).excess == math.inf


def test_the_worst_drop_is_the_one_of_the_most_margins() -> None:
    drops = [Drop("all", "all", 0.02, 0.01, 9), Drop("class", "person", 0.03, 0.02, 9)]
    assert worst(drops) is drops[0]
