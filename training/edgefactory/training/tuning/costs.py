"""What a model costs, and whether that keeps the budgets, now and when it is measured again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Final

from msgspec import Meta, Struct

from edgefactory.training.tuning.budgets import Budget, Form

# A latency that settled comes out again within 2 to 4% on a box with other work on it
# (docs/decisions/0013); what is measured after the search must still be within the budget.
LATENCY_GUARD: Final = 1.04
UNSURE_GUARD: Final = 1.10  # of a latency that has no interval

Count = Annotated[int, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0.0)]


class Latency(Struct, frozen=True, forbid_unknown_fields=True):
    """A measured latency: the median of a call, and its 95% interval where there is one."""

    ms: Positive
    interval: tuple[Positive, Positive] | None
    settled: bool

    @property
    def sure(self) -> float:
        """The milliseconds that it will not exceed when it is measured again."""
        return self.ms * UNSURE_GUARD if self.interval is None else self.interval[1] * LATENCY_GUARD

    @property
    def least(self) -> float:
        """The milliseconds that it takes at least."""
        return self.ms / UNSURE_GUARD if self.interval is None else self.interval[0]


class FormCost(Struct, frozen=True, forbid_unknown_fields=True):
    """What a model costs in one form; `latency` is None where it was not needed."""

    form: Form
    bytes: Count
    latency: Latency | None = None


class Cost(Struct, frozen=True, forbid_unknown_fields=True):
    """What an architecture costs, whatever its weights are. `macs` are a picture's."""

    parameters: Count
    macs: Count
    forms: tuple[FormCost, ...] = ()

    def of(self, budget: Budget) -> float | None:
        """The figure that the budget is about; None where it was not measured."""
        if budget.quantity in ("parameters", "macs"):
            return float(getattr(self, budget.quantity))
        found = next((one for one in self.forms if one.form == budget.form), None)
        if found is None or budget.quantity == "bytes":
            return None if found is None else float(found.bytes)
        return None if found.latency is None else found.latency.ms

    def sure(self, budget: Budget) -> float | None:
        """The same, as high as it may be when it is measured again."""
        latency = self._latency(budget)
        return latency.sure if latency else self.of(budget)

    def least(self, budget: Budget) -> float | None:
        """The same, as low as it may be."""
        latency = self._latency(budget)
        return latency.least if latency else self.of(budget)

    def _latency(self, budget: Budget) -> Latency | None:
        if budget.quantity != "latency_ms":
            return None
        return next((one.latency for one in self.forms if one.form == budget.form), None)


def broken(cost: Cost, budgets: Iterable[Budget]) -> tuple[Budget, ...]:
    """The budgets that `cost` does not surely keep; what was not measured breaks none."""
    found = ((budget, cost.sure(budget)) for budget in budgets)
    return tuple(budget for budget, value in found if value is not None and value > budget.limit)


def plainly_broken(cost: Cost, budgets: Iterable[Budget]) -> bool:
    """Whether a budget is broken even if the model is measured at its best."""
    found = ((budget, cost.least(budget)) for budget in budgets)
    return any(value is not None and value > budget.limit for budget, value in found)


def excess(cost: Cost, budgets: Sequence[Budget]) -> float:
    """By what factor the worst of the budgets is exceeded; below 1 where all are kept."""
    values = ((budget, cost.sure(budget)) for budget in budgets)
    return max((value / budget.limit for budget, value in values if value is not None), default=0.0)
