"""The trade: the metric against what a budget limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgefactory.pipelines.report.drawing import ACCENT, INK, MUTED, SOFT, TRUTH, Plot, svg
from edgefactory.pipelines.tunepage import wording
from edgefactory.training.tuning.budgets import Budget
from edgefactory.training.tuning.document import Candidate, Tune
from edgefactory.training.tuning.search import FIRST

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def trade_plot(found: Tune, budget: Budget, place: int) -> Plot:
    """Every candidate, what was dropped, the front and the budget; `place` keeps ids apart."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        unit, name = _unit(budget)
        _limit(axes, budget.limit / unit)
        _dropped(axes, found, budget, unit)
        _candidates(axes, found, budget, unit)
        axes.grid(visible=True, axis="both")
        axes.set_xlim(left=0)
        axes.set_ylim(*worth_showing(found))
        axes.set_xlabel(f"{wording.budget_name(budget)}, {name}")
        axes.set_ylabel(f"{wording.metric(found)} on val")

    winner = found.candidate(found.winner.number)
    at = wording.quantity(winner.cost.of(budget) or 0.0, budget.quantity)
    alt = (
        f"{wording.metric(found)} over {wording.budget_name(budget)}: the winner has "
        f"{winner.value or 0:.3f} at {at}, the budget is "
        f"{wording.quantity(budget.limit, budget.quantity)}."
    )
    return Plot(
        svg(draw, (620, 400), f"trade-{place}-wide"),
        svg(draw, (380, 340), f"trade-{place}-narrow"),
        alt,
    )


def worth_showing(found: Tune) -> tuple[float, float]:
    """The metric's range that is drawn: all who were trained to the end, and some room."""
    values = [c.value for c in found.candidates if c.state == "complete" and c.value is not None]
    low, high = min(values), max(values)
    room = max(high - low, 0.02)
    return low - 0.35 * room, min(high + 0.15 * room, 1.02)


def _unit(budget: Budget) -> tuple[float, str]:
    """The largest unit that the limit is at least one of."""
    if budget.quantity == "latency_ms":
        return 1.0, "ms"
    base = "B" if budget.quantity == "bytes" else ""
    scales = ((1e9, f"G{base}"), (1e6, f"M{base}"), (1e3, f"k{base}"))
    return next(((size, name) for size, name in scales if budget.limit >= size), (1.0, base))


def _limit(axes: Axes, at: float) -> None:
    axes.axvline(at, color=INK, lw=1.2, ls=(0, (4, 3)))
    axes.annotate(
        "budget",
        (at, 1.0),
        (-5, -4),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="right",
        va="top",
    )


def _dropped(axes: Axes, found: Tune, budget: Budget, unit: float) -> None:
    """Along the foot, since nobody knows what they would have reached."""
    costs = [one.cost.of(budget) for one in found.dropped if one.cost is not None]
    places = [cost / unit for cost in costs if cost is not None and cost < 4 * budget.limit]
    if places:
        axes.plot(
            places,
            [0.02] * len(places),
            "|",
            color=MUTED,
            markersize=12,
            markeredgewidth=1.6,
            transform=axes.get_xaxis_transform(),
            label="dropped before training",
        )


def _candidates(axes: Axes, found: Tune, budget: Budget, unit: float) -> None:
    def points(some: list[Candidate]) -> tuple[list[float], list[float]]:
        costs = [(one.cost.of(budget) or 0.0) / unit for one in some]
        return costs, [one.value or 0.0 for one in some]

    known = [one for one in found.candidates if one.value is not None]
    stopped = [one for one in known if one.state == "stopped"]
    complete = [one for one in known if one.state == "complete"]
    front = sorted(
        (found.candidate(number) for number in found.front), key=lambda c: c.cost.of(budget) or 0.0
    )
    axes.plot(
        *points(stopped), "o", color=MUTED, markersize=5, fillstyle="none", label="stopped early"
    )
    if len(front) > 1:
        axes.plot(*points(front), color=SOFT, lw=2.0, drawstyle="steps-post", label="front")
    axes.plot(*points(complete), "o", color=ACCENT, markersize=6, label="trained to the end")
    start = [one for one in known if one.number == FIRST]
    axes.plot(*points(start), "D", color=TRUTH, markersize=7, label="the start, scaled")
    winner = points([found.candidate(found.winner.number)])
    axes.plot(*winner, "o", color=ACCENT, markersize=15, fillstyle="none", markeredgewidth=2)
    axes.annotate(
        f"{winner[1][0]:.3f}",
        (winner[0][0], winner[1][0]),
        (-12, 6),
        textcoords="offset points",
        ha="right",
        fontweight="bold",
    )
    axes.legend(loc="lower right", frameon=False, labelcolor=INK, handlelength=1.4)
