"""A figure settles on a quiet box, not on a drifting one; its interval holds the median."""

import itertools
import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.bench.messages import Block
from edge_runtime.bench.settling import (
    ENOUGH_BLOCKS,
    FEWEST_BLOCKS,
    HALF_WIDTH,
    Trace,
    interval,
    judge,
    level_of,
)

Floats = npt.NDArray[np.float64]
MS = 1_000_000
REFERENCE = MS // 4
QUIET_OR_NOT = st.floats(0.8, 1.1) | st.floats(1.2, 3.0)  # rounding decides nothing


def block(call_ms: float, slow: float = 1.0, waits: float = 1.0) -> Block:
    """Three calls while the box is `slow` times slower, and `waits` times as long on the wall."""
    processor = [round(call_ms * slow * MS * around) for around in (0.99, 1.0, 1.03)]
    wall = [round(taken * waits) for taken in processor]
    reference = (round(REFERENCE * slow * waits), round(REFERENCE * slow))
    return Block(wall, processor, reference, reference)


def trace(blocks: list[Block], *, by_wall: bool = False) -> Trace:
    made = Trace(by_wall)
    for one in blocks:
        made.add(one)
    return made


def noisy(count: int, spread: float = 0.01, seed: int = 0) -> list[Block]:
    rng = np.random.default_rng(seed)
    return [block(2.0 * float(rng.normal(1, spread))) for _ in range(count)]


def test_a_quiet_box_settles_on_the_median() -> None:
    made = trace(noisy(ENOUGH_BLOCKS))
    verdict = judge(made, level_of([made], None))
    assert verdict.settled, verdict.reason
    assert verdict.median == pytest.approx(2.0 * MS, rel=0.01)
    assert (verdict.quiet, verdict.noise) == (ENOUGH_BLOCKS, 0.0)
    assert verdict.interval is not None
    assert verdict.interval[0] <= verdict.median <= verdict.interval[1]


def test_a_slow_phase_is_noticed_by_the_reference_and_left_out() -> None:
    slow = [block(7.0, slow=1.5) for _ in range(60)]  # slowed more than the reference, too
    made = trace([*noisy(60), *slow, *noisy(60, seed=1)])
    verdict = judge(made, level_of([made], None))
    assert verdict.settled, verdict.reason
    assert verdict.median == pytest.approx(2.0 * MS, rel=0.01)
    assert (verdict.quiet, len(verdict.calls)) == (120, 3 * 120)


def test_the_processors_own_clock_is_scaled_away() -> None:
    speeds = [0.93, 1.0, 1.07]
    made = trace([block(2.0, slow=speeds[number % 3]) for number in range(90)])
    verdict = judge(made, REFERENCE)
    assert verdict.settled, verdict.reason
    assert verdict.median == pytest.approx(2.0 * MS, rel=1e-4)
    assert verdict.calls.max() == pytest.approx(2.0 * 1.03 * MS, rel=1e-4)


def test_a_box_that_is_slow_all_the_time_is_known_by_its_level_in_better_times() -> None:
    made = trace([block(2.0, slow=1.5) for _ in range(100)])
    assert judge(made, level_of([made], None)).settled  # nobody can know
    verdict = judge(made, level_of([made], REFERENCE))
    assert not verdict.settled
    assert "quiet in 0 of 100 blocks, the reference 50% above its level" in verdict.reason
    assert verdict.median == pytest.approx(2.0 * MS, rel=0.01)  # by scaling alone


def test_a_box_that_gets_slower_and_slower_does_not_settle() -> None:
    made = trace([block(2.0, slow=1 + number / 25) for number in range(100)])
    verdict = judge(made, level_of([made], None))
    assert not verdict.settled
    assert "the box is busy" in verdict.reason


def test_a_model_that_gets_slower_on_a_quiet_box_does_not_settle() -> None:
    made = trace([block(2.0 + number / 100) for number in range(100)])
    verdict = judge(made, level_of([made], None))
    assert not verdict.settled
    assert "the interval is still" in verdict.reason


def test_calls_that_waited_for_the_processor_do_not_count() -> None:
    references = ((REFERENCE, REFERENCE), (REFERENCE, REFERENCE))
    some = Block([2 * MS, 9 * MS, 2 * MS], [2 * MS, 3 * MS, 2 * MS], *references)
    most = Block([9 * MS, 9 * MS, 2 * MS], [3 * MS, 3 * MS, 2 * MS], *references)
    verdict = judge(trace([*[some] * 50, *[most] * 50]), REFERENCE)
    assert verdict.quiet == 50
    assert verdict.calls.tolist() == [2 * MS] * 100
    assert judge(trace([most] * 50), REFERENCE).calls.size == 150  # there is nothing better


def test_by_the_wall_everything_is_of_the_wall() -> None:
    made = trace([block(2.0, waits=2.0) for _ in range(50)], by_wall=True)
    verdict = judge(made, level_of([made], None))
    assert verdict.median == pytest.approx(4.0 * MS)
    assert verdict.level == verdict.reference == 2 * REFERENCE
    assert verdict.noise == 0.0
    assert verdict.quiet == 50


def test_few_blocks_do_not_settle_and_say_so() -> None:
    made = trace(noisy(3))
    verdict = judge(made, level_of([made], None))
    assert not verdict.settled
    assert verdict.interval is None
    assert verdict.reason.startswith("3 blocks of calls")


def test_one_lucky_reference_does_not_set_the_level() -> None:
    lucky = Block([2 * MS], [2 * MS], (1, 1), (REFERENCE, REFERENCE))
    made = trace([lucky, *noisy(99)])
    assert level_of([made], None) == REFERENCE


def test_the_level_is_what_is_known_unless_that_was_of_a_busy_box() -> None:
    slow, fast = trace([block(2.0, slow=1.5)] * 5), trace([block(9.0)] * 5)
    assert level_of([slow, fast], None) == REFERENCE
    assert level_of([slow], REFERENCE) == REFERENCE
    assert level_of([fast], 1.1 * REFERENCE) == 1.1 * REFERENCE
    assert level_of([fast], 1.5 * REFERENCE) == REFERENCE
    assert level_of([], REFERENCE) == REFERENCE
    assert level_of([], None) == math.inf


@given(st.lists(st.floats(1e3, 1e12), min_size=FEWEST_BLOCKS, max_size=200))
def test_an_interval_lies_among_the_values_around_their_median(values: list[float]) -> None:
    found = interval(np.asarray(values))
    assert found is not None
    assert min(values) <= found[0] <= found[1] <= max(values)


@given(st.lists(st.floats(1e3, 1e12), max_size=FEWEST_BLOCKS - 1))
def test_too_few_values_have_no_interval(values: list[float]) -> None:
    assert interval(np.asarray(values)) is None


@given(
    st.lists(st.floats(1e3, 1e9), min_size=FEWEST_BLOCKS, max_size=60),
    st.floats(0.01, 100),
)
def test_an_interval_scales_with_its_values(values: list[float], factor: float) -> None:
    plain, scaled = interval(np.asarray(values)), interval(np.asarray(values) * factor)
    assert plain is not None
    assert scaled == pytest.approx([end * factor for end in plain])


@given(
    st.lists(st.floats(0.5, 9.0), min_size=ENOUGH_BLOCKS, max_size=80),
    st.lists(st.floats(1.0, 3.0), min_size=80, max_size=80),
)
def test_how_many_blocks_are_quiet_does_not_depend_on_their_calls(
    calls: list[float], slow: list[float]
) -> None:
    one = trace([block(ms, s) for ms, s in zip(calls, slow, strict=False)])
    other = trace([block(2.0, s) for _, s in zip(calls, slow, strict=False)])
    assert judge(one, REFERENCE).quiet == judge(other, REFERENCE).quiet


@given(
    st.lists(st.tuples(st.floats(0.5, 9.0), QUIET_OR_NOT), min_size=1, max_size=80),
    st.floats(0.5, 2.0),
)
def test_a_slower_box_gives_the_same_figure(
    blocks: list[tuple[float, float]], factor: float
) -> None:
    one = trace([block(ms, slow) for ms, slow in blocks])
    other = trace([block(ms, slow * factor) for ms, slow in blocks])
    first, second = judge(one, REFERENCE), judge(other, REFERENCE * factor)
    assert second.median == pytest.approx(first.median * factor, rel=1e-3)


@pytest.mark.parametrize("inertia", [0.0, 0.5])
def test_the_interval_of_a_run_that_stops_when_it_is_narrow_holds_the_median(
    inertia: float,
) -> None:
    """95% is the promise for a fixed length; stopping early costs a little of it."""
    runs = 200
    held = sum(_holds(_series(inertia, seed)) for seed in range(runs))
    assert held >= 0.88 * runs


def _series(inertia: float, seed: int) -> Floats:
    """Times with a true median of 1 and a memory from block to block."""
    shocks = np.random.default_rng(seed).normal(size=200)
    shocks[1:] *= math.sqrt(1 - inertia**2)
    steps = itertools.accumulate(shocks.tolist(), lambda before, shock: inertia * before + shock)
    return np.exp(0.04 * np.asarray(list(steps)))


def _holds(series: Floats) -> bool:
    length = float(ENOUGH_BLOCKS)
    while True:
        seen = series[: int(length)]
        found = interval(seen)
        assert found is not None
        narrow = (found[1] - found[0]) / 2 / float(np.median(seen)) <= HALF_WIDTH
        if narrow or length >= len(series):
            return found[0] <= 1 <= found[1]
        length *= 1.25


def test_the_reference_around_what_counts_is_told() -> None:
    made = trace([*(block(2.0) for _ in range(20)), *(block(2.0, slow=1.1) for _ in range(60))])
    verdict = judge(made, REFERENCE)
    assert verdict.reference == pytest.approx(1.1 * REFERENCE)
    assert verdict.noise == pytest.approx(0.1)
