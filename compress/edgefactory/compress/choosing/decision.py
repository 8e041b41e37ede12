"""Which attempt is chosen, and what is still missing: decided from figures alone."""

from __future__ import annotations

from collections.abc import Sequence

from edgefactory.compress.choosing.document import Attempt
from edgefactory.training.tuning.budgets import Budget


def cost(attempt: Attempt, budget: Budget) -> float | None:
    """What the attempt takes of what a budget limits; None when that is not known."""
    if budget.quantity == "latency_ms":
        return attempt.bench.latency_ms if attempt.bench else None
    return float(attempt.macs if budget.quantity == "macs" else attempt.bytes)


def within(attempt: Attempt, budgets: Sequence[Budget]) -> bool:
    """Whether the attempt keeps all budgets."""
    costs = [(cost(attempt, budget), budget.limit) for budget in budgets]
    return all(found is not None and found <= limit for found, limit in costs)


def best(attempts: Sequence[Attempt], budgets: Sequence[Budget] = ()) -> Attempt | None:
    """The fastest of those that keep the margins and all budgets; of equals the smallest."""
    good = [a for a in attempts if a.kept and a.bench and within(a, budgets)]
    return min(good, key=_price, default=None)


def front(attempts: Sequence[Attempt]) -> tuple[str, ...]:
    """Names of the attempts that keep the margins, and that none beats in latency and in drop."""
    good = sorted((a for a in attempts if a.kept and a.bench), key=lambda a: (*_price(a), a.name))
    found: list[Attempt] = []
    for attempt in good:
        if not found or (attempt.drop or 0.0) < (found[-1].drop or 0.0):
            found.append(attempt)
    return tuple(attempt.name for attempt in found)


def why_none(attempts: Sequence[Attempt], budgets: Sequence[Budget]) -> str:
    """In a line, why nothing can be chosen."""
    nearest = best(attempts)
    if nearest is None:
        return "no form keeps the margins and could be timed; widen --max-drop, or train longer"
    over = [budget for budget in budgets if not within(nearest, [budget])]
    said = ", ".join(f"{budget.quantity} {_said(nearest, budget)}" for budget in over)
    return (
        f"nothing keeps the margins and the budgets: {nearest.name} comes nearest with {said}; "
        "give more room, allow all --methods, or `edgefactory tune` for another architecture"
    )


def _said(attempt: Attempt, budget: Budget) -> str:
    found = cost(attempt, budget)
    shown = "unknown" if found is None else f"{found:.4g}"
    return f"{shown} of {budget.limit:.4g}"


def share_to_keep(fastest: Attempt, budgets: Sequence[Budget]) -> float | None:
    """The share of its multiply-accumulates that a network may keep for the budgets to hold.

    By proportion, and a tenth less, since latency falls more slowly. None when they hold already.
    """
    costs = [(cost(fastest, budget), budget.limit) for budget in budgets]
    over = [limit / found for found, limit in costs if found is not None and found > limit]
    return 0.9 * min(over) if over else None


def _price(attempt: Attempt) -> tuple[float, int]:
    assert attempt.bench is not None
    return attempt.bench.latency_ms, attempt.bytes
