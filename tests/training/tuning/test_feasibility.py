"""Architectures are measured once, and only where dominance does not tell."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefactory.training.recipe import Recipe
from edgefactory.training.tuning.budgets import parse_budgets
from edgefactory.training.tuning.feasibility import (
    Feasibility,
    Priced,
    architecture,
    at_least_as_large,
    nothing_fits,
)
from edgefactory.training.tuning.fitting import (
    at_the_limit,
    fitted,
    nearest_known,
    scaled_start,
)

from .made import BUDGETS, SPACE, World


def feasible(world: World, *budgets: str) -> Feasibility:
    wanted = parse_budgets(budgets) if budgets else BUDGETS
    return Feasibility(wanted, world.measure, lambda _: None, world.now)


def test_an_architecture_is_measured_once_whatever_else_the_recipe_says() -> None:
    world = World()
    seen = feasible(world)
    small = Recipe(resolution=(64, 64), width=16)
    assert seen.fits(small)
    assert seen.fits(msgspec.structs.replace(small, learning_rate=0.1, epochs=3, seed=7))
    assert len(world.measured) == 1
    assert world.measured[0] == architecture(small)
    assert seen.cost(small) is not None
    assert seen.seconds == 2.0


def test_what_is_as_large_as_something_too_dear_is_not_measured() -> None:
    world = World()
    seen = feasible(world, "latency_ms<=0.4")
    assert not seen.fits(Recipe(resolution=(384, 384), width=64))
    assert not seen.fits(Recipe(resolution=(384, 400), width=64, depth=2))
    assert len(world.measured) == 1
    (name,) = seen.implied
    assert name.depth == 2
    assert not seen.fits(Recipe(resolution=(384, 368), width=80))  # smaller in one way: measured
    assert len(world.measured) == 2


def test_what_was_measured_before_is_known() -> None:
    world = World()
    lines: list[Priced] = []
    first = Feasibility(BUDGETS, world.measure, lines.append, world.now)
    assert first.fits(Recipe(resolution=(64, 64)))
    later = feasible(world)
    later.know(lines)
    assert later.fits(Recipe(resolution=(64, 64)))
    assert len(world.measured) == 1


def test_what_cannot_be_built_does_not_fit_and_says_why() -> None:
    seen = feasible(World())
    deep = Recipe(resolution=(64, 64), width=16, depth=11)
    assert not seen.fits(deep)
    assert seen.known[architecture(deep)].refused == "too deep to be built"


def test_nothing_fits_says_what_would() -> None:
    world = World()
    seen = feasible(world, "latency_ms<=0.001", "parameters<=1k")
    assert scaled_start(SPACE, seen) is None
    assert str(nothing_fits(seen)) == (
        "nothing keeps the budgets: the least that was tried, 64x64, width 16, depth 1, has "
        "latency_ms 0.0032768 and parameters 16,000; --budget "
        "latency_ms<=0.0035@onnxruntime:f32 --budget parameters<=16000 would do"
    )


def test_the_start_is_kept_where_it_fits_and_else_scaled_to_the_largest() -> None:
    world = World()
    assert scaled_start(SPACE, feasible(world, "latency_ms<=100")) == SPACE.begin
    assert len(world.measured) == 1
    seen = feasible(world, "latency_ms<=0.1")
    values = scaled_start(SPACE, seen)
    assert values is not None
    assert values["width"] == SPACE.start.width
    assert seen.fits(SPACE.recipe(values))
    place = SPACE.dimensions["resolution"].place(values["resolution"])
    larger = {**values, "resolution": SPACE.dimensions["resolution"].at(place + 1 / 21)}
    assert not seen.fits(SPACE.recipe(larger))


def test_what_was_lowered_in_vain_is_raised_again() -> None:
    """Bytes depend on the width alone: lowering the resolution does not help."""
    values = scaled_start(SPACE, feasible(World(), "bytes<=64kB"))
    assert values == {**SPACE.begin, "width": 16}


@given(st.integers(0, 2**32), st.floats(0.002, 3.0))
def test_a_wish_is_fitted_or_there_is_nothing(seed: int, limit: float) -> None:
    seen = feasible(World(), f"latency_ms<={limit}")
    chance = np.random.default_rng(seed)
    wish = SPACE.values({key: float(chance.random()) for key in SPACE.dimensions})
    for values in (fitted(SPACE, seen, wish, chance), at_the_limit(SPACE, seen, wish, chance)):
        if values is not None:
            assert seen.fits(SPACE.recipe(values))
            assert values["learning_rate"] == wish["learning_rate"]
    near = nearest_known(SPACE, seen, wish)
    assert (near is None) == (not seen.fitting())


@pytest.mark.parametrize(
    ("one", "other", "larger"),
    [
        (Recipe(width=64), Recipe(width=32), True),
        (Recipe(width=64), Recipe(width=32, depth=2), False),
        (Recipe(model="torchvision/resnet18"), Recipe(), False),
        (Recipe(resolution=(400, 288)), Recipe(resolution=(384, 288)), True),
        (Recipe(resolution=(400, 272)), Recipe(resolution=(384, 288)), False),
    ],
)
def test_larger_means_in_every_way(one: Recipe, other: Recipe, larger: bool) -> None:
    assert at_least_as_large(one, other) == larger


def test_a_journal_line_says_all_there_is() -> None:
    entry = Priced(architecture(Recipe()), None, "no", 1.0)
    assert msgspec.json.decode(msgspec.json.encode(entry), type=Priced) == entry
