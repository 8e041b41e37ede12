"""The space of a search where nobody names one: from the starting recipe and the pictures."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from statistics import median
from typing import Final

from edgefactory.datasets import Snapshot
from edgefactory.training.examples import teaches
from edgefactory.training.recipe import SPECIALIST, Recipe
from edgefactory.training.tuning.space import Choice, Dimension, Range

_SHRINK: Final = (0.33, 0.375, 0.42, 0.5, 0.58, 0.67, 0.75, 0.83, 1.0, 1.17, 1.33)
_WIDEST: Final = 64  # or twice the start's width, where that is more
_DEEPEST: Final = 3  # or two more than the start's depth
_UNEVEN: Final = 2.0  # times as many pictures of the most frequent class as of the rarest
_SMALLEST_SIDE: Final = 8


@dataclass(frozen=True)
class Facts:
    """What of a snapshot decides which keys are worth a search.

    `side` is the usual (width, height) of its pictures; `doubted`: some labels have a score below
    1; `uneven`: some classes are much rarer.
    """

    side: tuple[int, int]
    doubted: bool
    uneven: bool


def facts_of(snapshot: Snapshot) -> Facts:
    """The facts of a snapshot's train split."""
    items = snapshot.split("train")
    taught = [label for item in items for label in item.labels if teaches(label)]
    shown = Counter(label.class_ for label in taught)
    return Facts(
        side=(
            round(median(item.width for item in items)),
            round(median(item.height for item in items)),
        ),
        doubted=any(label.score < 1 for label in taught),
        uneven=len(shown) > 1 and max(shown.values()) >= _UNEVEN * min(shown.values()),
    )


def derived_space(start: Recipe, facts: Facts) -> dict[str, Dimension]:
    """The keys that a search may change, with their ranges around the starting recipe's values.

    Not the batch: candidates see as many epochs as each other, and in a short run the smaller
    batch wins for its more steps alone.
    """
    found: dict[str, Dimension] = {}
    sizes = _resolutions(start, facts)
    if len(sizes) > 1:
        found["resolution"] = Choice(sizes)
    if start.model == SPECIALIST:
        found["width"] = Range(16, max(_WIDEST, 2 * start.width), "linear", 16)
        found["depth"] = Range(1, max(_DEEPEST, start.depth + 2), "linear", 1)
    found["learning_rate"] = Range(start.learning_rate / 6, start.learning_rate * 4, "log")
    found["weight_decay"] = Range(1e-4, 0.2, "log")
    found["ema"] = Range(0.9, 0.995, "decay")
    if facts.uneven:
        found["balance"] = Range(0.0, 1.0)
    if facts.doubted:
        found["distil.weighting"] = Range(0.0, 2.0)
    return found | _augmentation(start)


def _augmentation(start: Recipe) -> dict[str, Dimension]:
    found: dict[str, Dimension] = {
        "augment.shift": Range(0.0, 0.25),
        "augment.scale": Range(0.0, 0.5),
        "augment.brightness": Range(0.0, 0.4),
    }
    if start.task == "detection":
        found["augment.paste"] = Range(0.0, 0.9)
    else:
        found["augment.mask"] = Range(0.0, 0.6)
    if start.task == "temporal":
        found["augment.noise"] = Range(0.0, 24.0)
    if start.augment.flip:  # where nobody allows a mirror image, it may be another thing
        found["augment.flip"] = Choice((0.0, 0.5))
    return found


def _resolutions(start: Recipe, facts: Facts) -> tuple[tuple[int, int], ...]:
    """Sizes like the start's, in the pictures' shape where they are stretched, smallest first."""
    width, height = start.resolution
    if start.task == "temporal":  # as many columns as steps, as many rows as features
        return (start.resolution,)
    if start.fit == "stretch" and start.task == "detection":
        height = round(width * facts.side[1] / facts.side[0])
    most = max(facts.side[0], start.resolution[0])
    sizes = {(_side(start, width * s), _side(start, height * s)) for s in _SHRINK}
    return tuple(sorted(size for size in {*sizes, start.resolution} if size[0] <= most))


def _side(start: Recipe, wanted: float) -> int:
    """The nearest side of a picture that the model takes."""
    step = 32 if start.model != SPECIALIST else 16 if start.task == "detection" else 4
    return max(step, _SMALLEST_SIDE, round(wanted / step) * step)
