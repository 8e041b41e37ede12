"""A wish, made smaller or larger until it just keeps the budgets.

Along a path on which architectures only grow, cost only grows: so the largest that fits is found
by bisection, and few are measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from edgefactory.datasets.errors import InputError
from edgefactory.training.tuning.feasibility import Feasibility
from edgefactory.training.tuning.space import Space, Values, read

GROWING: Final = ("resolution", "width", "depth", "embedding")  # in this order the start shrinks
SLIMMING: Final = ("width", "depth", "embedding", "resolution")  # or in this one


def scaled_start(
    space: Space, feasible: Feasibility, order: Sequence[str] = GROWING
) -> Values | None:
    """The starting values on the largest scaling of the start's architecture that fits.

    Keys are lowered in `order`, each as far as it goes; what was lowered in vain is raised again.
    None where nothing fits.
    """
    begin = space.begin
    path = [begin]
    keys = [key for key in order if key in space.dimensions]
    for key in keys:
        path += _lowered(space, path[-1], key)
    found = _largest(space, feasible, path[::-1])
    if found is None:
        return None
    for key in keys:
        rising = [{**found, key: begin[key]}, *_lowered(space, {**found, key: begin[key]}, key)]
        found = _largest(space, feasible, rising[::-1]) or found
    return found


def at_the_limit(
    space: Space, feasible: Feasibility, values: Values, chance: np.random.Generator
) -> Values | None:
    """The values on an architecture drawn from those that just fit."""
    lowest, highest = dict(values), dict(values)
    for key in _growing(space):
        lowest[key] = space.dimensions[key].at(0.0)
        highest[key] = space.dimensions[key].at(1.0)
    return _largest(space, feasible, _descent(space, highest, chance)[::-1])


def fitted(
    space: Space, feasible: Feasibility, values: Values, chance: np.random.Generator
) -> Values | None:
    """The values, on a smaller architecture where theirs is over the budget."""
    return _largest(space, feasible, _descent(space, values, chance)[::-1])


def nearest_known(space: Space, feasible: Feasibility, values: Values) -> Values | None:
    """The values, on the nearest architecture that is known to fit."""
    keys = [key for key in (*_growing(space), "model") if key in space.dimensions]
    wanted = space.point(values)
    known = [{key: read(recipe, key) for key in keys} for recipe in feasible.fitting()]
    found = [space.point({**values, **one}) for one in known]
    if not found:
        return None
    near = min(found, key=lambda point: sum(abs(point[key] - wanted[key]) for key in keys))
    return {**values, **{key: space.dimensions[key].at(near[key]) for key in keys}}


def _growing(space: Space) -> list[str]:
    return [key for key in GROWING if key in space.dimensions]


def _lowered(space: Space, values: Values, key: str) -> list[Values]:
    """The values with lower and lower ones of a key."""
    found: list[Values] = []
    while (smaller := _one_less(space, found[-1] if found else values, key)) is not None:
        found.append(smaller)
    return found


def _one_less(space: Space, values: Values, key: str) -> Values | None:
    value = space.dimensions[key].less(values[key])
    return None if value is None else {**values, key: value}


def _descent(space: Space, values: Values, chance: np.random.Generator) -> list[Values]:
    """From values down to the smallest architecture, each step along an axis drawn by chance."""
    path = [values]
    while True:
        ways = [_one_less(space, path[-1], key) for key in _growing(space)]
        open_ways = [way for way in ways if way is not None]
        if not open_ways:
            return path
        path.append(open_ways[int(chance.integers(len(open_ways)))])


def _largest(space: Space, feasible: Feasibility, path: Sequence[Values]) -> Values | None:
    """The last one of a rising path that keeps the budgets."""
    if _fits(space, feasible, path[-1]):
        return path[-1]
    fits, over = -1, len(path) - 1
    while over - fits > 1:
        middle = (fits + over) // 2
        if _fits(space, feasible, path[middle]):
            fits = middle
        else:
            over = middle
    return path[fits] if fits >= 0 else None


def _fits(space: Space, feasible: Feasibility, values: Values) -> bool:
    try:
        return feasible.fits(space.recipe(values))
    except InputError:
        return False  # values that do not go together, as a size that the model cannot take
