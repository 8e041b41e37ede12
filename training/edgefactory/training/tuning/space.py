"""What a search may choose: ranges and choices of a recipe's keys, all seen as numbers 0..1.

A point is a number from 0 to 1 for each key. So a sampler, a nudge to a neighbour and the question
which key mattered need no case for each kind of value.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from edgefactory.datasets.errors import InputError
from edgefactory.training.recipe import Recipe, recipe_from

Value = int | float | str | tuple[int, int]
Values = dict[str, Value]
Point = dict[str, float]
Scale = Literal["linear", "log", "decay"]

ARCHITECTURE: Final = ("model", "resolution", "width", "depth", "embedding")
_SCALES: Final[Mapping[str, Scale]] = {
    "learning_rate": "log",
    "weight_decay": "log",
    "ema": "decay",
    "distil.temperature": "log",
}
_STEPS: Final = {"width": 16, "depth": 1, "embedding": 16}
_CHOSEN: Final = ("model", "resolution", "batch", "fit", "resize")  # never from a range
_LEAST: Final = 1e-6  # where a range on a scale of ratios begins at 0
_DIGITS: Final = 4  # significant ones of a value that is drawn

SEARCHABLE: Final = (
    *ARCHITECTURE,
    *("fit", "resize", "batch", "learning_rate", "weight_decay", "warmup", "ema", "balance"),
    *(f"augment.{name}" for name in ("flip", "scale", "shift", "brightness", "offset", "colour")),
    *(f"augment.{name}" for name in ("blur", "paste", "mask", "noise")),
    *("distil.weighting", "distil.soft", "distil.temperature", "distil.consistency"),
)


class Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="range"):
    """Numbers from `low` to `high`, evenly or by their ratios; `decay`: by those of 1 - x.

    With a `step` only low, low + step, ... up to `high`.
    """

    low: float
    high: float
    scale: Scale = "linear"
    step: int | None = None

    def at(self, place: float) -> Value:
        """The value at 0..1."""
        if self.step is not None:
            return int(self.low) + self.step * _bin(place, self._count)
        start, end = (self._bent(x) for x in (self.low, self.high))
        value = self._straight(start + place * (end - start))
        digits = _DIGITS - 1 - math.floor(math.log10(abs(value))) if value else _DIGITS
        return min(max(round(value, digits), self.low), self.high)

    def place(self, value: Value) -> float:
        """Where a value lies, 0..1; one outside of the range at its nearer end."""
        assert isinstance(value, int | float)
        near = min(max(value, self.low), self.high)
        if self.step is not None:
            return (round((near - self.low) / self.step) + 0.5) / self._count
        start, here, end = (self._bent(x) for x in (self.low, near, self.high))
        return (here - start) / (end - start) if end != start else 0.5

    def holds(self, value: Value) -> bool:
        """Whether the search may choose the value."""
        return isinstance(value, int | float) and self.low <= value <= self.high

    def less(self, value: Value) -> Value | None:
        """The next lower value; None for the lowest, and where there are no steps."""
        assert isinstance(value, int | float)
        return None if self.step is None or value - self.step < self.low else value - self.step

    @property
    def _count(self) -> int:
        return int((self.high - self.low) // (self.step or 1)) + 1

    def _bent(self, value: float) -> float:
        if self.scale == "linear":
            return value
        return math.log(max(value if self.scale == "log" else 1 - value, _LEAST))

    def _straight(self, bent: float) -> float:
        if self.scale == "linear":
            return bent
        return math.exp(bent) if self.scale == "log" else 1 - math.exp(bent)


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="choice"):
    """One of some values, in their order."""

    values: tuple[Value, ...]

    def at(self, place: float) -> Value:
        """The value at 0..1."""
        return self.values[_bin(place, len(self.values))]

    def place(self, value: Value) -> float:
        """Where a value lies, 0..1; of a number that is no choice, that of the nearest."""
        return (self._index(value) + 0.5) / len(self.values)

    def holds(self, value: Value) -> bool:
        """Whether the search may choose the value."""
        return value in self.values

    def less(self, value: Value) -> Value | None:
        """The choice before this one; None for the first."""
        index = self._index(value)
        return self.values[index - 1] if index else None

    def _index(self, value: Value) -> int:
        if value in self.values:
            return self.values.index(value)
        near = [abs(_size(one) - _size(value)) for one in self.values]
        return near.index(min(near))


Dimension = Range | Choice


@dataclass(frozen=True)
class Space:
    """The recipe that a search starts from, and the keys that it may change."""

    start: Recipe
    dimensions: Mapping[str, Dimension]

    def values(self, point: Point) -> Values:
        """What a point stands for."""
        return {key: dimension.at(point[key]) for key, dimension in self.dimensions.items()}

    def point(self, values: Mapping[str, Value]) -> Point:
        """Where values lie."""
        return {key: dimension.place(values[key]) for key, dimension in self.dimensions.items()}

    def recipe(self, values: Mapping[str, Value]) -> Recipe:
        """The start with these values. Raises InputError where they do not go together."""
        return overlaid(self.start, values, "the search")

    @property
    def begin(self) -> Values:
        """The starting recipe's values; where the search may not choose one, what is nearest."""
        found = {key: read(self.start, key) for key in self.dimensions}
        return {
            key: value if self.dimensions[key].holds(value) else self._nearest(key, value)
            for key, value in found.items()
        }

    def _nearest(self, key: str, value: Value) -> Value:
        dimension = self.dimensions[key]
        return dimension.at(dimension.place(value))


def overlaid(recipe: Recipe, values: Mapping[str, object], where: str) -> Recipe:
    """The recipe with some keys changed, such as `augment.flip`. Errors as `recipe_from`."""
    changed: dict[str, Any] = msgspec.to_builtins(recipe)
    for key, value in values.items():
        outer, _, inner = key.rpartition(".")
        if outer and not isinstance(changed.get(outer), dict):
            raise InputError(f"{where}: unknown key {key!r}; {_hint(key, _keys(recipe))}")
        (changed[outer] if outer else changed)[inner] = value
    return recipe_from(changed, where)


def read(recipe: Recipe, key: str) -> Value:
    """The recipe's value of a searchable key."""
    value: Any = recipe
    for name in key.split("."):
        value = getattr(value, name)
    found: Value = value
    return found


def with_wishes(
    space: Mapping[str, Dimension], wishes: Mapping[str, object], start: Recipe, where: str
) -> dict[str, Dimension]:
    """The space, with what a person wishes in place of what was derived.

    `[low, high]` is a range, another list its choices, and a single value the only one; `augment`
    and `distil` may be nested. `where` names the source. Raises InputError that names an unknown
    key with the nearest right one, or a value that the recipe cannot have.
    """
    found = dict(space)
    for key, wish in _flat(wishes).items():
        if key not in SEARCHABLE:
            raise InputError(f"{where}: {key!r} is not searched; {_hint(key, SEARCHABLE)}")
        found[key] = _dimension(key, wish, where)
        for value in _ends(found[key]):
            _check(start, key, value, where)
    return found


def _dimension(key: str, wish: object, where: str) -> Dimension:
    values = wish if isinstance(wish, list) else [wish]
    if key == "resolution" and not any(isinstance(value, list) for value in values):
        values = [values]
    try:
        numbers = msgspec.convert(values, tuple[float, float])
    except msgspec.ValidationError:
        numbers = None
    if numbers is not None and key not in _CHOSEN:
        low, high = numbers
        if not 0 <= low < high:
            raise InputError(
                f"{where}: {key} is [{low:g}, {high:g}]; expected the lower one first, from 0 up"
            )
        return Range(low, high, _SCALES.get(key, "linear"), _STEPS.get(key))
    try:
        choices = msgspec.convert(values, tuple[int | float | str | tuple[int, int], ...])
    except msgspec.ValidationError:
        choices = ()
    if not choices:
        raise InputError(f"{where}: {key} is {wish!r}; expected [low, high] or a list of choices")
    return Choice(choices)


def _ends(dimension: Dimension) -> tuple[Value, ...]:
    if isinstance(dimension, Choice):
        return dimension.values
    return (dimension.at(0.0), dimension.high if dimension.step is None else dimension.at(1.0))


def _check(start: Recipe, key: str, value: Value, where: str) -> None:
    """Whether the recipe may have the value at all; whether it suits the others is seen later."""
    alone = msgspec.structs.replace(start, **{key: value}) if key == "model" else start
    values: dict[str, Value] = {key: value}
    if key != "resolution" and start.task == "detection":
        values["resolution"] = (384, 288)
    overlaid(alone, values, where)


def _flat(wishes: Mapping[str, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, wish in wishes.items():
        if isinstance(wish, Mapping):
            found.update({f"{key}.{name}": inner for name, inner in wish.items()})
        else:
            found[str(key)] = wish
    return found


def _keys(recipe: Recipe) -> list[str]:
    found: list[str] = []
    for key, value in msgspec.to_builtins(recipe).items():
        found += [f"{key}.{name}" for name in value] if isinstance(value, dict) else [key]
    return found


def _hint(key: str, known: Callable[[], object] | tuple[str, ...] | list[str]) -> str:
    names = list(known) if isinstance(known, tuple | list) else []
    near = difflib.get_close_matches(key, names, n=1)
    return f"did you mean {near[0]!r}?" if near else f"keys: {', '.join(names)}"


def _bin(place: float, count: int) -> int:
    return min(int(place * count), count - 1)


def _size(value: Value) -> float:
    if isinstance(value, tuple):
        return float(value[0] * value[1])
    return float(value) if isinstance(value, int | float) else 0.0
