"""What a search says beside its winner: the front, what mattered, what a larger budget lets in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.trial import create_trial

from edgefactory.training.tuning.budgets import Budget
from edgefactory.training.tuning.costs import Cost, broken
from edgefactory.training.tuning.document import Candidate, Dropped, Larger
from edgefactory.training.tuning.feasibility import Feasibility, keeps, name_of
from edgefactory.training.tuning.ladder import Climb
from edgefactory.training.tuning.space import Space

ENOUGH: Final = 15  # candidates at one rung, before it is said which keys mattered


def front(candidates: Sequence[Candidate], budgets: Sequence[Budget]) -> tuple[int, ...]:
    """The numbers of the complete candidates that none other equals in value and all costs.

    Of equals the first; dearest last.
    """
    complete = [c for c in candidates if c.state == "complete" and c.value is not None]
    found = [one for one in complete if not any(_beats(o, one, budgets) for o in complete)]
    return tuple(one.number for one in sorted(found, key=lambda c: (c.value or 0.0, c.number)))


def _beats(one: Candidate, other: Candidate, budgets: Sequence[Budget]) -> bool:
    mine, theirs = _figures(one.cost, budgets), _figures(other.cost, budgets)
    no_worse = (one.value or 0.0) >= (other.value or 0.0) and all(
        a <= b for a, b in zip(mine, theirs, strict=True)
    )
    return no_worse and ((one.value, mine) != (other.value, theirs) or one.number < other.number)


def _figures(cost: Cost, budgets: Sequence[Budget]) -> list[float]:
    return [cost.of(budget) or 0.0 for budget in budgets]


def dropped(seen: Feasibility) -> tuple[Dropped, ...]:
    """The architectures that were dropped before training, the measured ones first."""
    found = [
        Dropped(
            name=name_of(entry.architecture),
            cost=entry.cost,
            breaks=broken(entry.cost, seen.budgets) if entry.cost else (),
            refused=entry.refused or "",
        )
        for entry in seen.known.values()
        if not keeps(entry, seen.budgets)
    ]
    implied = [
        Dropped(name=name_of(one), as_large_as=name_of(than)) for one, than in seen.implied.items()
    ]
    return (*found, *implied)


def larger(seen: Sequence[Dropped], budgets: Sequence[Budget]) -> tuple[Larger, ...]:
    """For each budget the nearest limit that lets in an architecture which breaks it alone."""
    found = []
    for budget in budgets:
        alone = [
            (one.cost.sure(budget) or 0.0, one.name)
            for one in seen
            if one.cost and one.breaks == (budget,)
        ]
        if alone:
            limit, name = min(alone)
            found.append(Larger(budget, limit, name))
    return tuple(found)


def mattered(space: Space, climbs: Sequence[Climb], rung: int) -> dict[str, float]:
    """The share of each key in how far values at a rung lie apart, the largest first.

    By functional analysis of variance (Hutter et al. 2014) in Optuna. Nothing where too few
    candidates reached the rung, or all were alike.
    """
    reached = [climb for climb in climbs if climb.epochs == rung and climb.value is not None]
    if len(reached) < ENOUGH or len({climb.value for climb in reached}) == 1:
        return {}
    axes: dict[str, BaseDistribution] = {
        key: FloatDistribution(0.0, 1.0) for key in space.dimensions
    }
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize")
    for climb in reached:
        point = space.point(climb.values)
        study.add_trial(create_trial(params=point, distributions=axes, value=climb.value))
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {key: float(share) for key, share in found.items()}
