"""Which pictures of a pool are chosen: many-sided, unsure, and none twice."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgefactory.datasets.asking import choose
from edgefactory.datasets.asking.choosing import distances

Floats = NDArray[np.float32]

NONE = np.zeros((0, 2), np.float32)


def _clusters(sizes: tuple[int, ...], seed: int = 0) -> tuple[Floats, NDArray[np.int64]]:
    """Points in the plane around centres that are far apart, and which centre each is of."""
    chance = np.random.default_rng(seed)
    of = np.repeat(np.arange(len(sizes)), sizes)
    angles = 2 * np.pi * of / len(sizes)
    centres = 10 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return (centres + chance.normal(0, 0.5, centres.shape)).astype(np.float32), of


def test_each_cluster_is_asked_about_before_any_is_asked_about_again() -> None:
    points, of = _clusters((60, 5, 20, 3))
    chosen = choose(points, np.ones(len(points), np.float32), NONE, 4)
    assert sorted(of[choice.index] for choice in chosen) == [0, 1, 2, 3]


def test_what_was_seen_is_not_asked_about_first() -> None:
    points, of = _clusters((30, 30, 30))
    seen = points[of != 1][::5]
    chosen = choose(points, np.ones(len(points), np.float32), seen, 1)
    assert of[chosen[0].index] == 1


def test_of_like_clusters_the_unsure_one_comes_first() -> None:
    points, of = _clusters((20, 20, 20))
    worth = np.where(of == 2, 0.9, 0.1).astype(np.float32)
    assert of[choose(points, worth, NONE, 1)[0].index] == 2


def test_the_unsure_picture_is_chosen_and_not_a_sure_one_beside_it() -> None:
    points, _ = _clusters((20, 20))
    worth = np.full(len(points), 0.05, np.float32)
    worth[13] = 0.9
    assert choose(points, worth, NONE, 1)[0].index == 13


def test_a_crowd_of_near_duplicates_counts_as_one() -> None:
    """A camera that looks at one thing for long does not keep people from seeing the rest."""
    alone = np.asarray([[0, 0], [4, 0], [0, 4], [4, 4]], np.float32)
    crowd = np.random.default_rng(1).normal(20, 0.01, (500, 2)).astype(np.float32)
    points = np.concatenate([crowd, alone + np.float32(40)])
    chosen = choose(points, np.ones(len(points), np.float32), NONE, 12)
    assert sum(choice.index < 500 for choice in chosen) == 1


def test_when_all_is_the_same_one_is_asked_about() -> None:
    assert len(choose(np.ones((50, 3), np.float32), np.ones(50, np.float32), NONE[:, :0], 10)) == 1


def test_nothing_comes_of_nothing() -> None:
    assert choose(NONE, np.zeros(0, np.float32), NONE, 5) == []


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), count=st.integers(0, 30), seen=st.integers(0, 5))
def test_choices_are_distinct_and_gain_less_and_less(seed: int, count: int, seen: int) -> None:
    chance = np.random.default_rng(seed)
    points = chance.normal(0, 1, (20, 3)).astype(np.float32)
    worth = chance.uniform(0, 1, 20).astype(np.float32)
    chosen = choose(points, worth, chance.normal(0, 1, (seen, 3)).astype(np.float32), count)
    assert len({choice.index for choice in chosen}) == len(chosen) <= count
    gains = [choice.gain for choice in chosen]
    assert all(later <= earlier * (1 + 1e-4) for earlier, later in pairwise(gains))
    assert all(gain >= 0 for gain in gains)


def test_the_lazy_search_finds_what_trying_all_finds() -> None:
    points, _ = _clusters((15, 10, 5), seed=3)
    worth = np.random.default_rng(4).uniform(0.1, 1, len(points)).astype(np.float32)
    distance = distances(points, points)
    scale = float(np.sqrt(np.square(distance).mean()))
    like = np.exp(-np.square(distance / (0.5 * scale)))
    weight = worth / np.exp(-np.square(distance / (0.3 * scale))).sum(axis=1)
    covered = np.zeros(len(points), np.float32)
    expected: list[int] = []
    for _ in range(5):
        gains = worth * (np.maximum(like - covered, 0) @ weight)
        gains[expected] = -1
        expected.append(int(gains.argmax()))
        covered = np.maximum(covered, like[expected[-1]])
    assert [choice.index for choice in choose(points, worth, NONE, 5)] == expected
