"""p-values: at most u with probability at most u, shown over every possible draw."""

from __future__ import annotations

from itertools import combinations, permutations
from math import comb

import numpy as np
import pytest
from numpy.typing import NDArray

from edgefactory.datasets.bounds.tails import Pool, p_values

Floats = NDArray[np.float64]


def _pool(labels: Floats, allowed: int) -> Pool:
    """A pool of pictures with so many labels each, at one threshold."""
    total, most = int(labels.sum()), int(labels.max())
    return Pool(len(labels), np.array([total]), np.array([most]), np.array([allowed]))


def _p(pool: Pool, labels: Floats, wrong: Floats) -> float:
    return float(p_values(pool, labels[:, None], wrong[:, None])[0])


def _exceeds(values: list[float]) -> float:
    """The most by which the values lie below u more often than with probability u."""
    ranked = np.sort(values)
    return float((np.arange(1, len(ranked) + 1) / len(ranked) - ranked).max())


@pytest.mark.parametrize(("bad", "least"), [(3, 15 / 126), (4, 15 / 126), (6, 75 / 126)])
def test_single_labels_are_judged_exactly(bad: int, least: float) -> None:
    labels = np.ones(9)
    wrong = np.repeat([1.0, 0.0], [bad, 9 - bad])
    pool = _pool(labels, 2)
    found = [_p(pool, labels[list(d)], wrong[list(d)]) for d in combinations(range(9), 4)]
    assert _exceeds(found) <= 1e-12
    assert min(found) == pytest.approx(least)


def test_no_wrong_label_among_all_that_were_drawn() -> None:
    pool = _pool(np.ones(100), 4)
    found = _p(pool, np.ones(30), np.zeros(30))
    assert found == pytest.approx(comb(95, 30) / comb(100, 30))


@pytest.mark.parametrize(
    ("labels", "wrong", "allowed"),
    [
        ([2, 1, 2, 1, 2, 1], [1, 1, 1, 0, 0, 0], 2),  # just more than is allowed
        ([3, 3, 1, 1, 0, 1], [3, 0, 0, 0, 0, 0], 2),  # all in one picture
        ([2, 2, 2, 2, 0, 0], [2, 2, 0, 0, 0, 0], 3),
        ([2, 2, 2, 1, 1, 1], [2, 2, 2, 0, 0, 0], 2),  # far more
    ],
)
def test_bets_against_a_true_hypothesis_do_not_pay(
    labels: list[float], wrong: list[float], allowed: int
) -> None:
    have, bad = np.array(labels, float), np.array(wrong, float)
    pool = _pool(have, allowed)
    for drawn in (2, 4):
        orders = [list(order[:drawn]) for order in permutations(range(6))]
        found = [_p(pool, have[order], bad[order]) for order in orders]
        assert _exceeds(found) <= 1e-9


def test_bets_against_a_false_hypothesis_pay() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(1, 4, 2000).astype(float)
    wrong = (rng.random(2000) < 0.01).astype(float)
    pool = _pool(labels, int(0.05 * labels.sum()))
    assert _p(pool, labels[:400], wrong[:400]) < 0.01


def test_bets_at_the_edge_of_the_hypothesis_hold_in_a_large_pool() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 5, 800).astype(float)
    wrong = np.zeros(800)
    wrong[:80] = labels[:80]  # pictures that are wrong as a whole
    pool = _pool(labels, int(wrong.sum()) - 1)
    found = []
    for _ in range(1000):
        order = rng.permutation(800)[:200]
        found.append(_p(pool, labels[order], wrong[order]))
    assert np.mean(np.array(found) <= 0.1) <= 0.1
    assert np.mean(np.array(found) <= 0.5) > 0.02  # the test can see something


def test_a_hypothesis_that_has_become_impossible_is_rejected() -> None:
    labels = np.array([2.0] * 6)
    assert _p(_pool(labels, 7), labels[:3], np.zeros(3)) == 0.0
    assert _p(_pool(labels, 5), labels[:3], np.zeros(3)) > 0.0  # still possible: all the others


def test_nothing_drawn_says_nothing() -> None:
    assert _p(_pool(np.ones(5), 1), np.zeros(0), np.zeros(0)) == 1.0
