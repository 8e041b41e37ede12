"""The first layer that departs though what it reads does not."""

from __future__ import annotations

import pytest

from edgefactory.compress.parity.layers import Place, first_departure


def place(name: str, op: str, *inputs: str) -> Place:
    return Place(name, op, inputs, f"{name}.out", before=False, after=False)


ORDER = [
    place("one", "Conv", "image"),
    place("act", "Relu", "one.out"),
    place("two", "Conv", "act.out"),
    place("side", "Conv", "act.out"),
    place("sum", "Add", "two.out", "side.out"),
]


def named(near: dict[str, float]) -> str | None:
    found = first_departure(
        ORDER, {f"{name}.out": db for name, db in near.items()}, lambda _, db: db < 60
    )
    return found.name if found else None


def test_where_all_is_near_nothing_is_named() -> None:
    assert named(dict.fromkeys(("one", "act", "two", "side", "sum"), 120.0)) is None


def test_the_first_of_those_that_are_far_is_named() -> None:
    assert named({"one": 120, "act": 120, "two": 120, "side": 8, "sum": 9}) == "side"


@pytest.mark.parametrize("shown", [{"act": 5.0}, {"two": 5.0, "sum": 5.0}])
def test_a_convolution_that_is_fused_into_the_next_layer_is_named(shown: dict[str, float]) -> None:
    assert named(shown) == "one"


def test_a_hidden_layer_after_one_that_is_near_is_named_itself() -> None:
    assert named({"one": 120, "act": 120, "side": 120, "sum": 5}) == "two"
