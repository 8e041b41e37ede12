"""Who climbs, and who waits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefactory.training.tuning.ladder import (
    ETA,
    LIVES,
    Begun,
    Climb,
    State,
    best_of,
    lost,
    promoted,
    rungs_of,
)

RUNGS = (3, 9, 27)


def climb(number: int, epochs: int, value: float, state: State = "waiting") -> Climb:
    return Climb(number, {}, state, epochs, value, 1.0)


@pytest.mark.parametrize(
    ("epochs", "steps", "rungs"),
    [
        (30, 450, (10, 30)),
        (30, 4500, (1, 3, 10, 30)),
        (27, 2700, (1, 3, 9, 27)),
        (30, 60, (10, 30)),  # too few steps even for the whole: one rung all the same
        (3, 30, (1, 3)),
        (2, 1000, (2,)),
        (1, 1000, (1,)),
    ],
)
def test_rungs_are_thirds_with_steps_enough(
    epochs: int, steps: int, rungs: tuple[int, ...]
) -> None:
    assert rungs_of(epochs, steps) == rungs


@given(st.integers(1, 1000), st.integers(1, 10**6))
def test_rungs_rise_to_the_whole_run(epochs: int, steps: int) -> None:
    rungs = rungs_of(epochs, steps)
    assert rungs[-1] == epochs
    assert list(rungs) == sorted(set(rungs))
    assert rungs[0] >= 1


def test_nobody_climbs_before_there_are_three() -> None:
    two = [climb(0, 3, 0.5), climb(1, 3, 0.6)]
    assert promoted(two, RUNGS) is None
    assert promoted([*two, climb(2, 3, 0.4)], RUNGS) == 1


def test_the_best_third_climbs_once() -> None:
    stood = [climb(n, 3, 0.1 * n) for n in range(6)]
    assert promoted(stood, RUNGS) == 5
    assert promoted([*stood, climb(5, 9, 0.7)], RUNGS) == 4
    assert promoted([*stood, climb(5, 9, 0.7), climb(4, 9, 0.6)], RUNGS) is None


def test_the_furthest_climbs_first() -> None:
    stood = [climb(n, 3, 0.1 * n) for n in range(9)]
    higher = [*stood, *(climb(n, 9, 0.2 * n) for n in (6, 7, 8))]
    assert promoted(higher, RUNGS) == 8


def test_whoever_failed_or_is_at_the_top_does_not_climb() -> None:
    stood = [climb(n, 3, 0.1 * n) for n in range(3)]
    assert promoted([*stood, climb(2, 27, 0.9, "complete")], RUNGS) is None
    assert promoted([*stood, climb(2, 0, 0.0, "failed")], RUNGS) is None


def test_the_favoured_one_climbs_in_any_case() -> None:
    assert promoted([climb(0, 3, 0.1), climb(1, 3, 0.9)], RUNGS, favoured=(0,)) == 0
    assert promoted([climb(0, 27, 0.1, "complete")], RUNGS, favoured=(0,)) is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_climbing_to_the_end_promotes_a_third(values: list[float]) -> None:
    climbs = [climb(n, 3, value) for n, value in enumerate(values)]
    while (number := promoted(climbs, RUNGS[:2])) is not None:
        climbs.append(climb(number, 9, values[number], "complete"))
    complete = best_of(climbs)
    assert len(complete) == len(values) // ETA
    if complete:
        assert complete[0].value == max(values)


def test_whoever_ends_the_process_again_and_again_is_given_up() -> None:
    fine = [Begun(0, {}), climb(0, 3, 0.5), Begun(0, {})]
    deadly = [Begun(1, {"width": 64})] * LIVES
    (found,) = lost([*fine, *deadly])
    assert (found.number, found.state, found.values) == (1, "failed", {"width": 64})
    assert "out of memory?" in found.why
    assert lost([*fine, *deadly[1:]]) == []
