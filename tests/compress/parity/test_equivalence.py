"""Equivalent is what is shown to be so; with few pictures nobody can tell."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from edgefactory.compress.parity.equivalence import (
    moves_test,
    pictures_needed,
    share_test,
    together,
)
from edgefactory.compress.parity.pairing import Paired

MARGIN = 0.05


def picture(decisions: int = 1, changed: int = 0, move: float = 0.0) -> Paired:
    changes = {"missing": 0, "extra": 0, "flipped": changed, "moved": 0}
    return Paired(decisions, decisions, changes, (move,) * decisions)  # type: ignore[arg-type]  # a literal's keys


def test_that_nothing_changed_is_worth_as_many_draws_as_pictures() -> None:
    few, enough = [picture(8)] * 58, [picture(8)] * 59
    assert share_test(few, MARGIN).verdict == "cannot-tell"
    assert share_test(enough, MARGIN).verdict == "equivalent"
    assert share_test(enough, MARGIN).interval[1] == pytest.approx(1 - 0.05 ** (1 / 59))
    assert pictures_needed([picture(8)] * 20, MARGIN) == 59


def test_a_share_beyond_the_margin_is_not_equivalent() -> None:
    pairs = [picture(changed=1)] * 30 + [picture()] * 70
    assert share_test(pairs, MARGIN).verdict == "not-equivalent"
    assert pictures_needed(pairs, MARGIN) is None


def test_single_decisions_have_the_interval_of_clopper_and_pearson() -> None:
    pairs = [picture(changed=1)] * 30 + [picture()] * 970
    lo, hi = share_test(pairs, MARGIN).interval
    exact = stats.binomtest(30, 1000).proportion_ci(0.90, "exact")
    assert (lo, hi) == pytest.approx((exact.low, exact.high), rel=1e-3)


def test_changes_that_come_together_are_worth_less() -> None:
    apart = [picture(10, 1)] * 20 + [picture(10)] * 180
    together_ = [picture(10, 10)] * 2 + [picture(10)] * 198
    tests = [share_test(pairs, MARGIN) for pairs in (apart, together_)]
    assert tests[0].value == tests[1].value
    assert tests[0].interval[1] < tests[1].interval[1]


def test_the_upper_bound_holds_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    missed = 0
    for _ in range(400):
        # Pictures of five decisions with a share of their own: 4% in the mean.
        own = rng.beta(0.4, 9.6, 120)
        pairs = [picture(5, int(k)) for k in rng.binomial(5, own)]
        missed += share_test(pairs, MARGIN).interval[1] < 0.04
    assert missed / 400 < 0.085


@pytest.mark.parametrize(
    ("move", "verdict"),
    [(0.001, "equivalent"), (0.02, "cannot-tell"), (-0.2, "not-equivalent")],
)
def test_scores_may_move_within_their_margin(move: float, verdict: str) -> None:
    noise = np.random.default_rng(1).normal(0, 0.01, 100)
    found = moves_test([picture(move=move + float(n)) for n in noise], 0.02)
    assert found is not None
    assert found.verdict == verdict


def test_without_pairs_no_score_is_tested() -> None:
    assert moves_test([picture(0)] * 9, 0.02) is None


def test_one_no_is_a_no() -> None:
    good, bad = share_test([picture()] * 100, MARGIN), share_test([picture(1, 1)] * 100, MARGIN)
    unsure = share_test([picture()] * 3, MARGIN)
    assert together([good, None]) == "equivalent"
    assert together([good, unsure]) == "cannot-tell"
    assert together([unsure, bad]) == "not-equivalent"
