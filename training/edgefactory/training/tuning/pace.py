"""How long a candidate's epoch will take, and how many make a whole run. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from edgefactory.training.recipe import Recipe

_CAUTION: Final = 1.15  # what else a machine does comes and goes
_WHOLE: Final = 0.15  # of the time is for one run from start to end; half of all is the winner's
_MOST: Final = 0.4  # where the recipe's epochs take that: two of them are all there is time for
_MOST_EPOCHS: Final = 10  # times the recipe's
_LEAST: Final = 0.5  # of the time of the one most alike: the rest does not depend on the network


def whole_run(seconds: float, epoch: float, recipe: int, *, fixed: bool) -> int:
    """The epochs of a run from start to end, when all runs have `seconds`, and an epoch `epoch`.

    As many as it can have when several runs have to fit in, but not fewer than `recipe`, the
    start's, as long as two such runs fit: short ones compare networks by how soon they learn, and
    not by how well. `fixed`: not more than `recipe` either.
    """
    room = seconds / epoch
    longest = recipe if fixed else _MOST_EPOCHS * recipe
    several, two = int(_WHOLE * room), int(_MOST * room)
    return max(1, min(longest, max(several, min(recipe, two))))


def epoch_seconds(recipe: Recipe, known: Iterable[tuple[Recipe, float]]) -> float | None:
    """The guess, from recipes with the seconds of their epochs; None while there are none.

    Taken from the one most alike in pixels a picture, width and batch. Numbers that pass through
    a network cost, pixels times width; small ones cost by their pixels as well, but less than
    so many times more. Steps cost by their number: the smaller the batch, the longer an epoch.
    """
    known = list(known)
    if not known:
        return None
    likest, seconds = min(known, key=lambda one: _unlike(recipe, one[0]))
    pixels, width = _pixels(recipe) / _pixels(likest), recipe.width / likest.width
    steps = math.sqrt(likest.batch / recipe.batch)
    return seconds * max(pixels * width, math.sqrt(pixels), _LEAST) * steps * _CAUTION


def _unlike(one: Recipe, other: Recipe) -> float:
    pairs = [(_pixels(one), _pixels(other)), (one.width, other.width), (one.batch, other.batch)]
    apart = sum(abs(math.log(mine / theirs)) for mine, theirs in pairs)
    return apart + (one.depth != other.depth) + 10 * (one.model != other.model)


def _pixels(recipe: Recipe) -> int:
    return recipe.resolution[0] * recipe.resolution[1]
