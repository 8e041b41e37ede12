"""`tune.json`: everything that a search found, as values and as the file's format.

docs/formats/tune.md says what each key means; a test holds it to these structs.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from edgefactory.training.evaluation import Measure
from edgefactory.training.recipe import Recipe
from edgefactory.training.tuning.budgets import Budget, Form
from edgefactory.training.tuning.costs import Cost, Latency
from edgefactory.training.tuning.space import Dimension, Values

Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Count = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(ge=0.0)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class Candidate(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Somebody who was trained, at least for a while; number 0 is the scaled starting recipe.

    `value` is the metric on val after `epochs` epochs.
    """

    number: Count
    values: Values
    cost: Cost
    state: Literal["complete", "stopped", "failed"]
    epochs: Count
    seconds: Seconds
    value: float | None = None
    why: str = ""


class Dropped(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An architecture that was not trained: over a budget, as large as one that is, or refused."""

    name: str
    cost: Cost | None = None
    breaks: tuple[Budget, ...] = ()
    as_large_as: str = ""
    refused: str = ""


class Check(Struct, frozen=True, forbid_unknown_fields=True):
    """A budget, and the winner's own figure, measured anew."""

    budget: Budget
    figure: float
    holds: bool


class File(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The winner in one form. `figures` are this file's own, by split: val, and test if any."""

    form: Form
    file: str
    sha256: Sha256
    bytes: Count
    figures: dict[Literal["val", "test"], dict[str, Measure]]
    latency: Latency | None = None


class Winner(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The best candidate, as a checkpoint. `longer`: it was trained anew, over more epochs.

    `cut_after` so many of them the time was over; 0 where it was not.
    """

    number: Count
    recipe: Recipe
    value: float
    longer: bool
    checkpoint_sha256: Sha256
    checks: tuple[Check, ...]
    files: tuple[File, ...]
    cut_after: Count = 0


class Larger(Struct, frozen=True, forbid_unknown_fields=True):
    """What a budget would have to be for the next architecture to fit, and who that is."""

    budget: Budget
    limit: float
    name: str


class Tune(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A whole search. `front` are the candidates that no other one beats in value and cost."""

    schema: Literal["tune/1"]
    snapshot_sha256: Sha256
    snapshot: str
    task: Literal["detection", "classification", "embedding", "temporal"]
    metric: str
    budgets: tuple[Budget, ...]
    measured_at: str
    start: Recipe
    space: dict[str, Dimension]
    seed: Count
    promised_seconds: Seconds
    used_seconds: Seconds
    measuring_seconds: Seconds
    epochs: Count
    rungs: tuple[Count, ...]
    candidates: tuple[Candidate, ...]
    dropped: tuple[Dropped, ...]
    front: tuple[Count, ...]
    winner: Winner
    mattered: dict[str, Share] = {}
    larger: tuple[Larger, ...] = ()

    def candidate(self, number: int) -> Candidate:
        """The candidate of that number."""
        return next(one for one in self.candidates if one.number == number)
