"""The threshold that is chosen: how often it is wrong, over every possible draw and truth."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from edgefactory.datasets.bounds.ladder import Scored, ladder
from edgefactory.datasets.bounds.sequence import lowest, rejected

Booleans = NDArray[np.bool_]


def _wrong_answer(scored: Scored, sample: int, truth: Booleans, error: float) -> bool | None:
    """Whether more than half of what is accepted unseen is wrong; None when nothing is."""
    counts = ladder(scored, sample)
    step = lowest(counts, 0.5, error)
    if step is None:
        return None
    accepted = (scored.score >= counts.thresholds[step]) & ~scored.reviewed[scored.picture]
    assert accepted.any()
    return bool(truth[accepted].mean() > 0.5)


def _over_all_draws(truth: Booleans, drawn: int, error: float) -> tuple[float, float]:
    """Shares of the draws: wrong answers, any answers. A label a picture, the surest first."""
    pictures = len(truth)
    score = np.linspace(1, 0.1, len(truth), dtype=np.float64)
    reviewed = np.arange(pictures) < drawn
    answers = []
    for chosen in combinations(range(pictures), drawn):
        rest = [p for p in range(pictures) if p not in chosen]
        place = np.argsort([*chosen, *rest])
        scored = Scored(score, place, truth & reviewed[place], reviewed)
        answers.append(_wrong_answer(scored, drawn, truth, error))
    wrong = sum(bool(answer) for answer in answers)
    return wrong / len(answers), sum(a is not None for a in answers) / len(answers)


def test_no_truth_of_single_labels_makes_it_wrong_more_often_than_said() -> None:
    error = 0.3
    shares = []
    for pattern in range(2**6):
        truth = np.array([(pattern >> bit) & 1 for bit in range(6)], np.bool_)
        shares.append(_over_all_draws(truth, 3, error))
    assert max(wrong for wrong, _ in shares) <= error
    assert max(wrong for wrong, _ in shares) > 0  # it can be wrong, and is
    assert shares[0] == (0.0, 1.0)  # a machine without errors is always believed


@pytest.mark.parametrize(
    ("p", "first", "passed"),
    [
        ([0.9, 0.01, 0.039, 0.05], 1, [1, 2, 3]),  # the last has the whole error
        ([0.0, 0.01, 0.041, 0.05], 1, [1]),  # 0.04 each; the last is on its own again
        ([0.0, 0.9, 0.0, 0.01], 1, [3]),  # with the 0.01 that was kept for it
        ([0.0, 0.9, 0.0, 0.011], 1, []),
        ([0.9, 0.9, 0.9, 0.05], 3, [3]),  # where it starts, it has all
        ([0.05], 0, [0]),
    ],
)
def test_the_error_is_handed_on_and_never_spent_twice(
    p: list[float], first: int, passed: list[int]
) -> None:
    assert np.flatnonzero(rejected(np.array(p), first, 0.05)).tolist() == passed


def test_a_good_machine_whose_scores_tell_nothing_is_believed() -> None:
    """2.75% of the sample are wrong, some of the surest among them."""
    pictures = 100_000
    reviewed = np.arange(pictures) < 400
    truth = np.zeros(pictures, np.bool_)
    truth[:11] = True
    score = np.random.default_rng(1).random(pictures)
    score[:4] = 1.0
    counts = ladder(Scored(score, np.arange(pictures), truth, reviewed), 400)
    assert lowest(counts, 0.05, 0.05) is None
    assert lowest(counts, 0.06, 0.05) == len(counts.thresholds) - 1


def test_the_chosen_threshold_is_the_lowest_that_passes() -> None:
    rng = np.random.default_rng(0)
    pictures = 4000
    score = rng.random(pictures)
    truth = rng.random(pictures) < np.where(score > 0.5, 0.005, 0.3)
    reviewed = np.arange(pictures) < 600
    counts = ladder(Scored(score, np.arange(pictures), truth & reviewed, reviewed), 600)
    step = lowest(counts, 0.05, 0.05)
    assert step is not None
    # 0.05 wrong in all are reached where a sixth of the bad half is let in.
    assert 0.4 < counts.thresholds[step] < 0.52


def test_a_mean_sample_is_refused_where_the_share_is_just_too_large() -> None:
    pictures = 1000
    truth = np.arange(pictures) % 20 == 0  # 0.05 everywhere, whatever the score
    order = np.random.default_rng(0).permutation(pictures)
    reviewed = np.arange(pictures) < 300
    scored = Scored(
        np.linspace(1, 0, pictures, dtype=np.float64)[order], np.arange(pictures), truth, reviewed
    )
    assert lowest(ladder(scored, 300), 0.05, 0.05) is None


def test_other_reviewed_pictures_are_taken_off_exactly() -> None:
    """People reviewed the good half besides: what is left may be twice as bad as the pool."""
    pictures = 2000
    score = np.ones(pictures)
    place = np.random.default_rng(0).permutation(pictures)
    truth = np.zeros(pictures, np.bool_)
    truth[:60] = True  # 3% of all
    drawn = place < 300
    others = np.arange(pictures) >= 1000  # without any error
    reviewed = np.zeros(pictures, np.bool_)
    reviewed[place[drawn | others]] = True
    scored = Scored(score, place, truth & (drawn | others), reviewed)
    assert lowest(ladder(scored, 300), 0.05, 0.05) is None  # 6% of the others are wrong
    alone = Scored(score, place, truth & drawn, np.arange(pictures) < 300)
    assert lowest(ladder(alone, 300), 0.05, 0.3) is not None
