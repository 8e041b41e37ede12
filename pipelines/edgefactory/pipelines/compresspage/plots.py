"""The trade: what is lost against the time that it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edgefactory.compress.choosing import Attempt, Compression
from edgefactory.pipelines.compresspage import wording
from edgefactory.pipelines.report.drawing import ACCENT, INK, MUTED, SOFT, TRUTH, Plot, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROOM: Final = 1.25  # of the largest latency


def trade_plot(found: Compression) -> Plot:
    """Every attempt that was timed, the front, the margin and the budget of latency."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        _limits(axes, found)
        _attempts(axes, found)
        axes.grid(visible=True, axis="both")
        axes.set_xlabel("latency, ms")
        axes.set_ylabel(f"{wording.metric(found)} lost on val, points")

    alt = f"{wording.metric(found)} lost over latency: {wording.claim(found)}."
    return Plot(svg(draw, (680, 420), "trade-wide"), svg(draw, (380, 360), "trade-narrow"), alt)


def _limits(axes: Axes, found: Compression) -> None:
    axes.axhline(100 * found.margin, color=INK, lw=1.2, ls=(0, (4, 3)))
    axes.annotate(
        "may be lost",
        (1.0, 100 * found.margin),
        (-4, 5),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
    )
    for budget in found.budgets:
        if budget.quantity == "latency_ms":
            axes.axvline(budget.limit, color=INK, lw=1.2, ls=(0, (4, 3)))
            axes.annotate(
                "budget",
                (budget.limit, 0.0),
                (4, 4),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
            )


def _attempts(axes: Axes, found: Compression) -> None:
    timed = [a for a in found.attempts if a.bench is not None]
    front = [found.attempt(name) for name in found.front]
    if len(front) > 1:
        axes.plot(*_points(front), color=SOFT, lw=2.0, drawstyle="steps-post", label="front")
    for engine, mark, colour in (("onnxruntime", "s", MUTED), ("openvino", "o", ACCENT)):
        some = [a for a in timed if a.engine == engine]
        if some:
            axes.plot(
                *_points(some), mark, color=colour, markersize=7, label=wording.engine(some[0])
            )
    for attempt in timed:
        if attempt.name == found.reference:
            axes.plot(*_points([attempt]), "D", color=TRUTH, markersize=8, label="FP32, reference")
        if attempt.name in (*found.front, found.reference) or not attempt.kept:
            _label(axes, attempt)
    if found.chosen:
        chosen = _points([found.attempt(found.chosen)])
        axes.plot(*chosen, "o", color=ACCENT, markersize=16, fillstyle="none", markeredgewidth=2)
    latencies = _points(timed)[0] if timed else [1.0]
    axes.set_xlim(0, _ROOM * max(latencies))
    axes.legend(loc="best", frameon=False, labelcolor=INK, handlelength=1.4)


def _label(axes: Axes, attempt: Attempt) -> None:
    (x,), (y,) = _points([attempt])
    name = attempt.form if attempt.network == "trained" else attempt.name
    axes.annotate(name, (x, y), (9, -14), textcoords="offset points", color=MUTED)


def _points(attempts: list[Attempt]) -> tuple[list[float], list[float]]:
    times = [a.bench.latency_ms if a.bench else 0.0 for a in attempts]
    return times, [100 * (a.drop or 0.0) for a in attempts]
