"""Ranges, choices and wishes: a space of a recipe's keys."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.contract import decode, encode
from edgefactory.datasets.errors import InputError
from edgefactory.training.recipe import Recipe
from edgefactory.training.tuning.derived import Facts, derived_space
from edgefactory.training.tuning.space import (
    Choice,
    Dimension,
    Range,
    Space,
    overlaid,
    read,
    with_wishes,
)

PLACES = st.floats(0.0, 1.0)
DIMENSIONS = st.sampled_from(
    [
        Range(16, 96, "linear", 16),
        Range(1, 3, "linear", 1),
        Range(1e-4, 1e-1, "log"),
        Range(0.0, 0.5),
        Range(0.9, 0.995, "decay"),
        Choice((4, 8, 16, 32)),
        Choice(((128, 96), (192, 144), (256, 192))),
        Choice(("specialist", "torchvision/resnet18")),
    ]
)
FACTS = Facts(side=(768, 576), doubted=True, uneven=False)


@given(DIMENSIONS, PLACES)
def test_a_value_lies_where_it_is_found(dimension: Dimension, place: float) -> None:
    value = dimension.at(place)
    assert dimension.holds(value)
    assert dimension.at(dimension.place(value)) == value


@given(DIMENSIONS, PLACES)
def test_a_lower_value_is_the_next_one_that_there_is(dimension: Dimension, place: float) -> None:
    value = dimension.at(place)
    less = dimension.less(value)
    if less is not None:
        assert dimension.holds(less)
        assert dimension.place(less) < dimension.place(value)


def test_a_range_of_ratios_is_drawn_by_ratios() -> None:
    assert Range(1e-4, 1e-2, "log").at(0.5) == pytest.approx(1e-3)
    assert 1 - float(str(Range(0.9, 0.999, "decay").at(0.5))) == pytest.approx(0.01)


def test_a_wish_replaces_what_was_derived() -> None:
    wishes: dict[str, Any] = {
        "width": [16, 32],
        "learning_rate": [0.001, 0.01],
        "batch": [8, 16],
        "resolution": [[192, 144], [256, 192]],
        "augment": {"flip": 0.5},
        "distil.weighting": [0, 0.5, 1],
    }
    found = with_wishes({"depth": Range(1, 3, "linear", 1)}, wishes, Recipe(), "space.yaml")
    assert found == {
        "depth": Range(1, 3, "linear", 1),
        "width": Range(16, 32, "linear", 16),
        "learning_rate": Range(0.001, 0.01, "log"),
        "batch": Choice((8, 16)),
        "resolution": Choice(((192, 144), (256, 192))),
        "augment.flip": Choice((0.5,)),
        "distil.weighting": Choice((0, 0.5, 1)),
    }


@pytest.mark.parametrize(
    ("wishes", "says"),
    [
        ({"learning_rat": [0.1, 0.2]}, "did you mean 'learning_rate'"),
        ({"augment": {"flipp": [0, 0.5]}}, "did you mean 'augment.flip'"),
        ({"epochs": [10, 20]}, "'epochs' is not searched"),
        ({"width": [32, 16]}, "expected the lower one first"),
        ({"learning_rate": [-1, 0.1]}, r"is \[-1, 0.1\]; expected .* from 0 up"),
        ({"ema": [0.9, 1.5]}, "ema"),
        ({"width": [10, 32]}, "width"),
        ({"augment.flip": [0, 2]}, "flip"),
        ({"resolution": [[100, 100]]}, "multiples of 16"),
        ({"batch": {"low": 3}}, "'batch.low' is not searched"),
        ({"batch": []}, r"expected \[low, high\] or a list of choices"),
    ],
)
def test_a_wrong_wish_is_refused_and_named(wishes: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        with_wishes({}, wishes, Recipe(), "space.yaml")


def test_values_are_laid_over_the_start() -> None:
    space = Space(Recipe(), {"width": Range(16, 64, "linear", 16), "augment.shift": Range(0, 0.3)})
    recipe = space.recipe({"width": 48, "augment.shift": 0.2})
    assert (recipe.width, recipe.augment.shift, recipe.augment.scale) == (48, 0.2, 0.2)
    assert read(recipe, "augment.shift") == 0.2
    with pytest.raises(InputError, match=r"did you mean 'augment\.flip'"):
        overlaid(Recipe(), {"augmnt.flip": 1}, "--set")


def test_the_start_is_kept_where_the_space_allows_it() -> None:
    space = Space(Recipe(width=32), {"width": Range(64, 96, "linear", 16), "ema": Range(0.9, 0.99)})
    assert space.begin == {"width": 64, "ema": 0.98}


@given(st.data())
def test_every_point_of_a_derived_space_is_a_recipe(data: st.DataObject) -> None:
    start = data.draw(
        st.sampled_from(
            [
                Recipe(),
                Recipe(task="classification", resolution=(16, 16), width=16, batch=64),
                Recipe(task="embedding", resolution=(64, 64)),
                Recipe(task="temporal", resolution=(40, 20)),
                Recipe(model="torchvision/mobilenet_v3_small", resolution=(320, 224)),
            ]
        )
    )
    space = Space(start, derived_space(start, FACTS))
    point = {key: data.draw(PLACES) for key in space.dimensions}
    values = space.values(point)
    assert space.values(space.point(values)) == values
    space.recipe(values)
    space.recipe(space.begin)


def test_a_detector_is_searched_in_the_pictures_shape() -> None:
    start = Recipe(resolution=(384, 384), augment=Recipe().augment)
    found = derived_space(start, FACTS)["resolution"]
    assert isinstance(found, Choice)
    assert (384, 288) in found.values
    assert (192, 144) in found.values


def test_a_space_is_written_and_read() -> None:
    dimensions = derived_space(Recipe(), FACTS)
    assert decode(encode(dimensions), dict[str, Dimension], "space") == dimensions
