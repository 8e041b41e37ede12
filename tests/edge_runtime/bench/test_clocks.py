"""Both clocks are read for a call; a processor clock that moves in steps is recognised."""

import itertools
import time

import pytest

from edge_runtime.bench import clocks


def test_a_call_is_timed_by_both_clocks() -> None:
    called: list[int] = []
    wall, processor = clocks.timed(lambda: called.append(1))
    assert called == [1]
    assert wall > 0
    assert processor >= 0


@pytest.mark.parametrize(("step", "fine"), [(200, True), (50_000, True), (4_000_000, False)])
def test_a_clock_that_moves_in_the_steps_of_a_timer_is_not_fine(
    monkeypatch: pytest.MonkeyPatch, step: int, fine: bool
) -> None:
    ticks = itertools.chain.from_iterable([number * step] * 5 for number in itertools.count())
    monkeypatch.setattr(time, "process_time_ns", lambda: next(ticks))
    assert clocks.processor_clock_is_fine() is fine


def test_a_clock_that_does_not_move_is_not_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "process_time_ns", lambda: 0)
    assert not clocks.processor_clock_is_fine()
