"""An epoch shows each picture as often as it is worth, in an order that the seed decides."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from edgefactory.training.sampling import batches_an_epoch, epoch_batches, epoch_order, worth_of
from edgefactory.training.targets import ClassTargets, Marks

WORTHS = st.lists(st.floats(0.01, 100.0), min_size=1, max_size=60)


def shown(*pictures: tuple[int, ...], ignore: bool = False) -> tuple[Marks, ...]:
    """Pictures of boxes, each with the classes of its boxes."""
    return tuple(
        Marks(
            np.zeros((len(classes), 4), np.float32),
            np.array(classes, np.int64),
            np.ones(len(classes), np.float32),
            np.ones(len(classes), np.float32),
            np.full(len(classes), ignore),
        )
        for classes in pictures
    )


def classed(labels: list[int], weights: list[float] | None = None) -> ClassTargets:
    return ClassTargets(torch.tensor(labels), torch.tensor(weights or [1.0] * len(labels)))


def times(worth: list[float], seed: int, epoch: int = 0) -> npt.NDArray[np.int64]:
    order = epoch_order(np.array(worth), seed, epoch)
    return np.bincount(order, minlength=len(worth))


@given(WORTHS, st.integers(0, 2**31 - 1), st.integers(0, 1000))
def test_an_epoch_has_as_many_pictures_as_there_are(
    worth: list[float], seed: int, epoch: int
) -> None:
    order = epoch_order(np.array(worth), seed, epoch)
    assert len(order) == len(worth)
    assert (order == epoch_order(np.array(worth), seed, epoch)).all()


@given(WORTHS, st.integers(0, 1000))
def test_each_is_drawn_as_often_as_it_is_worth_give_or_take_one(
    worth: list[float], seed: int
) -> None:
    wanted = np.array(worth) / np.mean(worth)
    drawn = times(worth, seed)
    assert (drawn >= np.floor(wanted - 1e-6)).all()
    assert (drawn <= np.ceil(wanted + 1e-6)).all()


@given(st.integers(1, 50), st.floats(0.01, 100.0), st.integers(0, 1000))
def test_alike_in_worth_each_comes_once(count: int, worth: float, seed: int) -> None:
    assert (times([worth] * count, seed) == 1).all()


def test_epochs_and_seeds_differ() -> None:
    orders = {
        tuple(epoch_order(np.ones(30), seed, epoch)) for seed in range(4) for epoch in range(4)
    }
    assert len(orders) == 16


def test_over_epochs_the_shares_come_true() -> None:
    worth = [1.0, 2.0, 0.5, 4.0, 1.0, 0.25]
    drawn = np.sum([times(worth, 0, epoch) for epoch in range(600)], axis=0) / 600
    np.testing.assert_allclose(drawn, np.array(worth) / np.mean(worth), atol=0.08)


@given(st.integers(1, 100), st.integers(1, 40))
def test_batches_are_full_and_none_is_shown_twice(count: int, batch: int) -> None:
    parts = list(epoch_batches(np.arange(count), batch))
    assert len(parts) == batches_an_epoch(count, batch) > 0
    assert {len(part) for part in parts} == {min(batch, count)}
    seen = np.concatenate(parts)
    assert (seen == np.arange(len(seen))).all()


def test_without_balance_all_are_alike() -> None:
    assert (worth_of(classed([0, 0, 0, 1]), 2, 0.0) == 1).all()
    assert (worth_of(shown((0,), (0, 1), ()), 2, 0.0) == 1).all()


def test_balance_makes_classes_come_as_often() -> None:
    worth = worth_of(classed([0] * 90 + [1] * 10), 2, 1.0)
    assert worth[:90].sum() == pytest.approx(worth[90:].sum())
    half = worth_of(classed([0] * 90 + [1] * 10), 2, 0.5)
    assert half[99] == pytest.approx(3.0)


def test_a_picture_counts_as_its_rarest_class_does() -> None:
    worth = worth_of(shown((0,), (0, 1), (0,), (0,)), 2, 1.0)
    assert worth.tolist() == [1.0, 4.0, 1.0, 1.0]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.floats(0, 1))
def test_worth_is_never_below_that_of_the_most_frequent(labels: list[int], balance: float) -> None:
    worth = worth_of(classed(labels), 5, balance)
    most = np.bincount(labels).argmax()
    assert worth.min() == pytest.approx(1.0)
    assert worth[labels.index(int(most))] == pytest.approx(1.0)
    assert np.isfinite(worth).all()


def test_what_teaches_nothing_counts_as_the_most_frequent() -> None:
    assert (worth_of(classed([0, 1], [1.0, 0.0]), 2, 1.0) == 1).all()
    assert (worth_of(shown((0,), (1,), ignore=True), 2, 1.0) == 1).all()
    assert (worth_of(shown((), ()), 2, 1.0) == 1).all()
