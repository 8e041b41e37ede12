"""What is chosen keeps every margin and budget, and nothing that does is faster."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefactory.compress.choosing import Attempt
from edgefactory.compress.choosing.decision import best, cost, front, share_to_keep, why_none
from edgefactory.datasets.errors import InputError
from edgefactory.training.tuning import Budget, parse_limits

from .attempts import MARGIN, attempt

MS, BYTES = Budget("latency_ms", 2.0), Budget("bytes", 1500)

attempts = st.lists(
    st.builds(
        attempt,
        st.uuids().map(str),
        st.none() | st.floats(0.1, 10),
        st.floats(-0.02, 0.02),
        st.integers(100, 3000),
    ),
    max_size=8,
)
budgets = st.lists(st.sampled_from([MS, BYTES]), unique=True)


@given(attempts, budgets)
def test_nothing_that_keeps_all_is_faster(some: list[Attempt], limits: list[Budget]) -> None:
    allowed = [
        a
        for a in some
        if a.bench
        and (a.drop or 0.0) <= MARGIN
        and all((cost(a, limit) or 0.0) <= limit.limit for limit in limits)
    ]
    found = best(some, limits)
    assert (found is None) == (not allowed)
    if found is not None:
        assert found in allowed
        assert _ms(found) == min(_ms(a) for a in allowed)


@given(attempts)
def test_the_front_is_beaten_by_none_and_holds_the_fastest(some: list[Attempt]) -> None:
    good = {a.name: a for a in some if a.kept and a.bench}
    names = front(some)
    assert bool(names) == bool(good)
    for one in (good[name] for name in names):
        assert not any(_ms(a) < _ms(one) and _lost(a) < _lost(one) for a in good.values())
    if names:
        assert _ms(good[names[0]]) == min(_ms(a) for a in good.values())


def test_what_was_not_timed_or_has_no_file_is_not_chosen() -> None:
    assert best([attempt("a", None), attempt("b", 1.0, files=False)]) is None


def test_why_nothing_is_chosen() -> None:
    near = why_none([attempt("slow", 3.0), attempt("slower", 4.0)], [MS, BYTES])
    assert "trained/slow comes nearest with latency_ms 3 of 2;" in near
    assert "no form keeps the margins" in why_none([attempt("bad", 1.0, 0.5)], [MS])


def test_pruning_leaves_a_tenth_less_than_the_budget_by_proportion() -> None:
    assert share_to_keep(attempt("a", 3.0), [MS, BYTES]) == pytest.approx(0.9 * 2 / 3)
    assert share_to_keep(attempt("a", 2.0), [MS]) is None


def test_limits_name_no_engine() -> None:
    assert parse_limits(["latency_ms<=2", "bytes<=1.5kB"]) == (MS, BYTES)
    with pytest.raises(InputError, match="leave out what follows @"):
        parse_limits(["latency_ms<=2@openvino"])
    with pytest.raises(InputError, match="twice"):
        parse_limits(["latency_ms<=2", "latency_ms<=3"])
    with pytest.raises(InputError, match="expected latency_ms, bytes or macs"):
        parse_limits(["parameters<=3"])


def _ms(one: Attempt) -> float:
    assert one.bench is not None
    return one.bench.latency_ms


def _lost(one: Attempt) -> float:
    return one.drop or 0.0
