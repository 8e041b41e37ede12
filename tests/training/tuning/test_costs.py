"""Whether a cost keeps the budgets, also when it is measured again."""

from __future__ import annotations

import pytest

from edgefactory.training.tuning.budgets import parse_budgets
from edgefactory.training.tuning.costs import (
    Cost,
    FormCost,
    Latency,
    broken,
    excess,
    plainly_broken,
)

LATENCY, BYTES, MACS = parse_budgets(["latency_ms<=4@openvino", "bytes<=1MB", "macs<=10M"])


def cost(ms: float, interval: tuple[float, float] | None, size: int = 1000) -> Cost:
    assert LATENCY.form is not None
    timed = Latency(ms, interval, settled=interval is not None)
    return Cost(10, 9_000_000, (FormCost(LATENCY.form, size, timed),))


@pytest.mark.parametrize(
    ("ms", "interval", "kept"),
    [
        (3.7, (3.65, 3.8), True),
        (3.8, (3.7, 3.9), False),  # 3.9 and the guard is over 4
        (3.9, (3.85, 3.95), False),
        (3.5, None, True),
        (3.7, None, False),  # nobody knows how sure that is
    ],
)
def test_the_intervals_upper_end_and_a_guard_must_be_within(
    ms: float, interval: tuple[float, float] | None, kept: bool
) -> None:
    assert (broken(cost(ms, interval), [LATENCY]) == ()) == kept


def test_only_what_is_over_at_its_best_is_plainly_over() -> None:
    assert broken(cost(3.95, (3.9, 4.1)), [LATENCY]) == (LATENCY,)
    assert not plainly_broken(cost(3.95, (3.9, 4.1)), [LATENCY])
    assert plainly_broken(cost(4.2, (4.1, 4.3)), [LATENCY])


def test_every_budget_counts_and_the_worst_is_told() -> None:
    found = cost(2.0, (1.9, 2.1), size=2_000_000)
    assert broken(found, [LATENCY, BYTES, MACS]) == (BYTES,)
    assert excess(found, [LATENCY, BYTES, MACS]) == 2.0


def test_what_was_not_measured_breaks_nothing() -> None:
    assert broken(Cost(10, 9_000_000), [LATENCY, BYTES]) == ()
    assert broken(Cost(10, 11_000_000), [LATENCY, BYTES, MACS]) == (MACS,)
