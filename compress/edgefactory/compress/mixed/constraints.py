"""What a compressed model may lose: a margin over all pictures, and one for each slice.

Drops are differences of FP32 and candidate on the same pictures, so what both get wrong cancels.
The search decides by the point estimate on the pictures that it was given (val): a margin below
one picture's worth allows no loss at all. Choosing among candidates on the same pictures is
optimistic; whether the chosen one keeps the margin is for a test on pictures that it has not seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from edgefactory.datasets.errors import InputError
from edgefactory.training.evaluation.document import By

_EXACT = 1e-9  # a margin is kept when it is met


@dataclass(frozen=True)
class Margins:
    """The largest drops, in points of the metric (0..1).

    `all`: over all pictures; `slices`: of any class, source or time of day, None where they are not
    to be judged; `named`: of single ones, as {"class:person": 0.01}, in place of `slices`.
    """

    all: float = 0.005
    slices: float | None = 0.02
    named: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given = {"all": self.all, "slices": self.slices or 0.0, **self.named}
        for name, margin in given.items():
            if not 0.0 <= margin <= 1.0:
                raise InputError(
                    f"the margin of {name} is {margin:g}; even the float model does not keep less "
                    "than 0, and more than 1 cannot be lost: choose one of 0 to 1"
                )

    def of(self, by: By, name: str) -> float | None:
        """The margin of a slice; None when it is not to be judged."""
        if by == "all":
            return self.all
        return self.named.get(f"{by}:{name}", self.slices)


class Drop(Struct, frozen=True, forbid_unknown_fields=True):
    """What a candidate loses in a slice of `n` pictures, and what it may."""

    by: By
    name: str
    value: float
    margin: float
    n: int

    @property
    def excess(self) -> float:
        """The loss in margins: at most 1 where the margin is kept, infinite for one of 0 lost."""
        if self.value <= self.margin + _EXACT:
            return min(1.0, self.value / self.margin) if self.margin else 0.0
        return self.value / self.margin if self.margin else math.inf

    def __str__(self) -> str:
        where = "all pictures" if self.by == "all" else f"{self.by} {self.name}"
        return f"{where}: lost {self.value:.4f} of at most {self.margin:g} in {self.n} pictures"


def worst(drops: Sequence[Drop]) -> Drop:
    """The drop of the largest excess. There is at least one."""
    return max(drops, key=lambda drop: drop.excess)
