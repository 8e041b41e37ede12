"""The start, scaled into the budgets: by its pixels first, or by its channels first."""

from __future__ import annotations

import msgspec

from edgefactory.training.tuning.budgets import parse_budgets
from edgefactory.training.tuning.feasibility import Feasibility
from edgefactory.training.tuning.fitting import GROWING, SLIMMING, scaled_start
from edgefactory.training.tuning.space import Space, Values

from .made import SPACE, World

LARGE = Space(msgspec.structs.replace(SPACE.start, width=64), SPACE.dimensions)


def scaled(budget: str, order: tuple[str, ...]) -> Values | None:
    world = World()
    feasible = Feasibility(parse_budgets([budget]), world.measure, lambda _: None, world.now)
    return scaled_start(LARGE, feasible, order)


def side(values: Values) -> int:
    resolution = values["resolution"]
    assert isinstance(resolution, tuple)
    return int(resolution[0])


def test_what_fits_stays_as_it_is() -> None:
    for order in (GROWING, SLIMMING):
        assert scaled("latency_ms<=50", order) == LARGE.begin


def test_pixels_or_channels_are_given_up_first() -> None:
    pixels, channels = (scaled("latency_ms<=0.1", order) for order in (GROWING, SLIMMING))
    assert pixels is not None
    assert channels is not None
    assert pixels["width"] == 64
    assert channels["width"] == 16
    assert side(channels) > side(pixels)


def test_nothing_fits_in_either_order() -> None:
    assert scaled("latency_ms<=0.00001", GROWING) is None
    assert scaled("latency_ms<=0.00001", SLIMMING) is None
