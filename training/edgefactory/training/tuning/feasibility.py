"""Which architectures keep the budgets: measured once each, before anything is trained.

An architecture that is wider, deeper and larger than one that was plainly too dear is too dear as
well, and is not measured. What is to be trained has always been measured itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from edgefactory.datasets.errors import InputError
from edgefactory.training.recipe import SPECIALIST, Augment, Distil, Recipe
from edgefactory.training.tuning.budgets import Budget
from edgefactory.training.tuning.costs import Cost, broken, excess, plainly_broken

MEASURED_SEED: Final = 0  # of the untrained weights: the same architecture is the same file

_DECIDES: Final = (
    *("task", "model", "resolution", "resize", "fit"),
    *("width", "depth", "detections", "embedding"),
)

Measure = Callable[[Recipe], Cost]
"""What an architecture costs: its untrained network as it would ship.

Raises InputError where it cannot be built or does not run in a form that a budget names.
"""


class Priced(Struct, frozen=True, forbid_unknown_fields=True, tag="priced"):
    """An architecture, and what it costs or why it cannot be had; a line of the journal."""

    architecture: Recipe
    cost: Cost | None
    refused: str | None
    seconds: Annotated[float, Meta(ge=0.0)]


@dataclass
class Feasibility:
    """What is known of architectures under `budgets`; asks `measure` for what is not.

    `learned` is told of everything that was measured.
    """

    budgets: Sequence[Budget]
    measure: Measure
    learned: Callable[[Priced], None]
    clock: Callable[[], float]
    known: dict[Recipe, Priced] = field(default_factory=dict)
    implied: dict[Recipe, Recipe] = field(default_factory=dict)  # by which one that is too dear

    def know(self, entries: Iterable[Priced]) -> None:
        """Take up what was measured before."""
        self.known |= {entry.architecture: entry for entry in entries}

    def cost(self, recipe: Recipe) -> Cost | None:
        """The measured cost of a recipe's architecture; None for one that has none."""
        entry = self.known.get(architecture(recipe))
        return entry.cost if entry else None

    @property
    def seconds(self) -> float:
        """That measuring has taken so far."""
        return sum(entry.seconds for entry in self.known.values())

    def fits(self, recipe: Recipe) -> bool:
        """Whether the architecture keeps the budgets. Measures it, if that is not known."""
        wanted = architecture(recipe)
        if wanted not in self.known:
            dearer = self._dearer(wanted)
            if dearer is not None:
                self.implied[wanted] = dearer
                return False
            self.known[wanted] = self._price(wanted)
            self.learned(self.known[wanted])
        return keeps(self.known[wanted], self.budgets)

    def fitting(self) -> list[Recipe]:
        """The measured architectures that keep the budgets."""
        return [one for one, entry in self.known.items() if keeps(entry, self.budgets)]

    def cheapest(self) -> Priced | None:
        """The measured one that comes nearest to the budgets."""
        priced = [entry for entry in self.known.values() if entry.cost is not None]
        return min(priced, key=self._excess, default=None)

    def _excess(self, entry: Priced) -> float:
        return excess(entry.cost, self.budgets) if entry.cost else float("inf")

    def _price(self, wanted: Recipe) -> Priced:
        began = self.clock()
        try:
            cost, refused = self.measure(wanted), None
        except InputError as error:
            cost, refused = None, str(error)
        return Priced(wanted, cost, refused, self.clock() - began)

    def _dearer(self, wanted: Recipe) -> Recipe | None:
        """A measured architecture that is plainly too dear and not larger than `wanted`."""
        for other, entry in self.known.items():
            if (
                entry.cost is not None
                and plainly_broken(entry.cost, self.budgets)
                and at_least_as_large(wanted, other)
            ):
                return other
        return None


def keeps(entry: Priced, budgets: Sequence[Budget]) -> bool:
    """Whether a measured architecture surely keeps the budgets."""
    return entry.cost is not None and not broken(entry.cost, budgets)


def architecture(recipe: Recipe) -> Recipe:
    """The recipe with everything that does not change its graph's cost as in no recipe."""
    plain = Recipe(seed=MEASURED_SEED, augment=Augment(), distil=Distil())
    return msgspec.structs.replace(plain, **{key: getattr(recipe, key) for key in _DECIDES})


def at_least_as_large(one: Recipe, other: Recipe) -> bool:
    """Whether `one` does at least the arithmetic of `other`, layer for layer."""
    if (one.model, one.task, one.detections) != (other.model, other.task, other.detections):
        return False
    sizes = [(one.width, other.width), (one.depth, other.depth), (one.embedding, other.embedding)]
    if one.model != SPECIALIST and one.task != "detection":
        sizes = sizes[2:]  # width and depth are the specialist's, and a detector's neck's
    sizes += list(zip(one.resolution, other.resolution, strict=True))
    return all(mine >= theirs for mine, theirs in sizes)


def nothing_fits(seen: Feasibility) -> InputError:
    """The one line that says what the nearest architecture costs, and what budgets would do."""
    nearest = seen.cheapest()
    if nearest is None or nearest.cost is None:
        reasons = [entry.refused for entry in seen.known.values() if entry.refused]
        return InputError(f"no architecture can be had: {reasons[0] if reasons else 'none'}")
    over = broken(nearest.cost, seen.budgets)
    costs = [f"{b.quantity} {nearest.cost.of(b):,.6g}" for b in over]
    enough = [
        str(msgspec.structs.replace(b, limit=_rounded_up(nearest.cost.sure(b) or b.limit)))
        for b in over
    ]
    return InputError(
        f"nothing keeps the budgets: the least that was tried, {name_of(nearest.architecture)}, "
        f"has {' and '.join(costs)}; --budget {' --budget '.join(enough)} would do"
    )


def name_of(recipe: Recipe) -> str:
    """An architecture in a few words: "192x144, width 32, depth 1"."""
    size = "{}x{}".format(*recipe.resolution)
    if recipe.model != SPECIALIST and recipe.task != "detection":
        return f"{recipe.model}, {size}"
    said = f"{size}, width {recipe.width}, depth {recipe.depth}"
    return said if recipe.model == SPECIALIST else f"{recipe.model}, {said}"


def _rounded_up(value: float) -> float:
    """To two digits, upwards."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(value / unit) * unit:.6g}")
