"""The ledger leads to one state, whoever reads it, and a move counts at most once."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefactory.datasets.errors import TrustError
from edgefactory.registry.ledger import Entry, replay


def entry(
    number: int, before: int | None, after: int, alias: str = "champion", key: str = ""
) -> Entry:
    return Entry(number, key or f"key {number}", alias, before, after, "", "anna", "", 0)


def test_nobody_holds_anything_at_first() -> None:
    assert replay((), "x.promotions").holder("champion") is None


def test_of_several_moves_from_one_state_the_first_counts() -> None:
    ledger = replay([entry(1, None, 7), entry(2, 7, 8), entry(3, 7, 9), entry(4, 8, 10)], "x")
    assert ledger.counted == {1, 2, 4}
    assert ledger.holder("champion") == 10


def test_aliases_do_not_see_each_other() -> None:
    ledger = replay([entry(1, None, 7), entry(2, None, 8, "candidate")], "x")
    assert (ledger.holder("champion"), ledger.holder("candidate")) == (7, 8)


def test_what_was_sent_twice_counts_once() -> None:
    """A to B and back again, and then the first move arrives once more."""
    again = entry(4, 1, 2, key="sent twice")
    ledger = replay(
        [entry(1, None, 1), entry(2, 1, 2, key="sent twice"), entry(3, 2, 1), again], "x"
    )
    assert ledger.holder("champion") == 1


def test_a_ledger_that_was_cut_says_nothing() -> None:
    with pytest.raises(TrustError, match="has no entry 2"):
        replay([entry(1, None, 7), entry(3, 7, 8)], "x")


MOVES = st.lists(st.tuples(st.none() | st.integers(1, 4), st.integers(1, 4)), max_size=20)


@given(MOVES, st.randoms(use_true_random=False))
def test_the_order_of_reading_does_not_matter(
    moves: list[tuple[int | None, int]], chance: random.Random
) -> None:
    entries = [entry(n, *move) for n, move in enumerate(moves, start=1)]
    shuffled = list(entries)
    chance.shuffle(shuffled)
    assert replay(entries, "x") == replay(shuffled, "x")


@given(MOVES)
def test_what_counts_is_a_chain_from_nobody_to_the_holder(
    moves: list[tuple[int | None, int]],
) -> None:
    ledger = replay([entry(n, *move) for n, move in enumerate(moves, start=1)], "x")
    held: int | None = None
    for one in ledger.entries:
        if one.number in ledger.counted:
            assert one.before == held
            held = one.after
        else:
            assert one.before != held
    assert ledger.holder("champion") == held
