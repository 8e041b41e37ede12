"""What a recipe leaves open follows from the snapshot: its task, and the network's resolution."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping
from typing import Final

from edgefactory.datasets import Item, Snapshot
from edgefactory.training.recipe import SPECIALIST, Recipe, Task, step_of

_PIXELS: Final = math.prod(Recipe().resolution)  # most that a detector is given
_AWAY: Final = math.log(1.2)  # of a shape: what a detector hardly notices
_LARGEST: Final = 4096  # side that a recipe takes
_LONGER: Final = 96  # most of a longer side that our own classifier, which looks closely, is given
_LIBRARYS: Final = (32, 224)  # shorter side at least, longer at most: their strides, their training

Size = tuple[int, int]  # width, height


def task_of(snapshot: Snapshot) -> Task:
    """What a snapshot is for: sequences are classified over time, all else as it says itself."""
    return "temporal" if snapshot.signal is not None else snapshot.task


def fitted(recipe: Mapping[str, object], snapshot: Snapshot) -> dict[str, object]:
    """A recipe's keys and values with `task` and `resolution` filled in where they are left out.

    Sequences are taken as they are, since each row is a feature. A detector gets the shape of the
    median picture, within the pixels of the usual resolution and within those that it has; a
    classifier or embedder the picture as it is, up to 96 pixels of the longer side, or 224 where
    the model is a library's. The values are not checked; `recipe_from` does that.
    """
    task = recipe.get("task", task_of(snapshot))
    found: dict[str, object] = {**recipe, "task": task}
    if "resolution" not in recipe and snapshot.items:
        model = str(recipe.get("model", SPECIALIST))
        if task == "detection":
            size = _for_boxes(_median(snapshot.items), step_of(model))
        elif snapshot.signal is not None:
            size = (snapshot.signal.steps, snapshot.signal.rows)
        else:
            size = _for_wholes(_median(snapshot.items), model)
        found["resolution"] = list(size)
    return found


def _median(items: tuple[Item, ...]) -> Size:
    width = statistics.median_low(item.width for item in items)
    return width, statistics.median_low(item.height for item in items)


def _for_boxes(picture: Size, step: int) -> Size:
    """Multiples of `step`: the nearest to the picture's shape, of those around its scaled size.

    Of a long picture also of those below, where what is around it would be a sixth too narrow.
    """
    scale = min(1.0, math.sqrt(_PIXELS / math.prod(picture)))
    wanted = picture[0] / picture[1]

    def away(size: Size) -> float:
        return abs(math.log(size[0] / size[1] / wanted))

    def cost(size: Size) -> tuple[bool, float, int]:
        pixels = math.prod(size)
        return pixels > _PIXELS, away(size), -pixels

    widths, heights = (_multiples(side * scale, step) for side in picture)
    near = min(itertools.product(widths[1:], heights[1:]), key=cost)
    return near if away(near) < _AWAY else min(itertools.product(widths, heights), key=cost)


def _multiples(side: float, step: int) -> tuple[int, int, int]:
    """Two multiples of `step` below and one above."""
    below = max(1, min(math.floor(side / step), _LARGEST // step - 1)) * step
    return max(step, below - step), below, below if below == side else below + step


def _for_wholes(picture: Size, model: str) -> Size:
    least, most = (1, _LONGER) if model == SPECIALIST else _LIBRARYS
    scale = min(1.0, most / max(picture))
    scale = max(scale, least / min(picture))
    return min(round(picture[0] * scale), _LARGEST), min(round(picture[1] * scale), _LARGEST)
