"""Ranges of features: robust, wide enough for what is new, and the same whatever the amount."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edgefactory.datasets.formats import ranges
from edgefactory.datasets.formats.ranges import Ranges


def normal(count: int, seed: int = 0) -> NDArray[np.float32]:
    """Two features: mean 0 and deviation 1, mean 100 and deviation 5."""
    drawn = np.random.default_rng(seed).normal(size=(count, 2))
    return (drawn * [1, 5] + [0, 100]).astype(np.float32)


def test_a_few_wild_values_do_not_matter() -> None:
    tame, wild = Ranges(), Ranges()
    rows = normal(10_000)
    tame.add(rows)
    rows[::1000] = 1e9
    wild.add(rows)
    for before, after in zip(tame.result()[:2], wild.result()[:2], strict=True):
        assert np.allclose(before, after, atol=[0.3, 1.5])


def test_new_data_of_the_same_kind_seldom_reach_the_ends() -> None:
    found = Ranges()
    found.add(normal(2000))
    low, high, constant = found.result()
    new = normal(20_000, seed=1)
    assert ((new <= low) | (new >= high)).mean() < 0.003
    assert not constant.any()


def test_what_seldom_changes_has_all_its_values_and_what_never_does_a_middle() -> None:
    rows = np.zeros((1000, 3), np.float32)
    rows[7, 0] = 5
    rows[:, 1] = 40
    found = Ranges()
    found.add(rows)
    low, high, constant = found.result()
    assert constant.tolist() == [False, True, True]
    assert (low[0], high[0]) == (-0.5, 5.5)
    assert (low[1], high[1]) == (20, 60)
    assert (low[2], high[2]) == (-0.5, 0.5)


@pytest.mark.parametrize("part", [1, 7, 1000])
def test_many_rows_are_thinned_out_evenly(monkeypatch: pytest.MonkeyPatch, part: int) -> None:
    """As many as fit are kept, however they come, and they say nearly the same."""
    rows = normal(4000)
    whole = Ranges()
    whole.add(rows)
    monkeypatch.setattr(ranges, "_MOST", 1000)
    found = Ranges()
    for start in range(0, len(rows), part):
        found.add(rows[start : start + part])
    kept = np.concatenate(found._kept)
    assert 250 <= len(kept) <= 500
    assert np.array_equal(kept, rows[:: len(rows) // len(kept)])
    for one, other in zip(found.result()[:2], whole.result()[:2], strict=True):
        assert np.allclose(one, other, atol=[0.8, 4])
