"""The report's curves: training, people counted over time, precision against recall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgefactory.pipelines.report.drawing import ACCENT, INK, MUTED, TRUTH, Plot, svg
from edgefactory.pipelines.report.views import Trade
from edgefactory.registry.binding import TEACHER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Series:
    """Values over epochs, with what they are called."""

    name: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Crossing:
    """Somebody crossed the line: when (stream seconds) and which way ("in" or "out")."""

    seconds: float
    direction: str


def training_plot(panels: Sequence[Series]) -> Plot:
    """Small multiples, one a series, over epochs; the last value is written at its point."""
    said = "; ".join(f"{s.name} from {s.values[0]:.3g} to {s.values[-1]:.3g}" for s in panels)

    def draw(figure: Figure, columns: int) -> None:
        rows = -(-len(panels) // columns)
        for index, series in enumerate(panels):
            _curve(figure.add_subplot(rows, columns, index + 1), series)

    wide = svg(lambda f: draw(f, len(panels)), (1040, 250), "training-wide")
    narrow = svg(lambda f: draw(f, 1), (380, 220 * len(panels)), "training-narrow")
    return Plot(wide, narrow, f"Over the epochs of training: {said}.")


def _curve(axes: Axes, series: Series) -> None:
    epochs = np.arange(1, len(series.values) + 1)
    axes.plot(epochs, series.values, color=ACCENT, linewidth=2.0, solid_capstyle="round")
    axes.plot(epochs[-1:], series.values[-1:], "o", color=ACCENT, markersize=5)
    axes.annotate(
        f"{series.values[-1]:.3g}",
        (float(epochs[-1]), series.values[-1]),
        (0, 8),
        textcoords="offset points",
        ha="right",
        fontweight="bold",
    )
    axes.set_title(series.name, color=INK, pad=10)
    axes.set_xlabel("epoch")
    axes.margins(y=0.18)
    axes.locator_params(axis="both", nbins=5)


def crossings_plot(
    counted: Sequence[Crossing], true: Sequence[Crossing] | None, span: tuple[float, float]
) -> Plot:
    """People counted so far, over stream time, against the annotated crossings if any."""
    against = f", {len(true)} annotated" if true is not None else ""
    alt = f"People counted over time: {len(counted)} by the branch{against}."

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        if true is not None:
            _steps(axes, true, span, TRUTH, "annotated")
        _steps(axes, counted, span, ACCENT, "counted at the branch")
        _marks(axes, counted, true)
        axes.set_xlim(*span)
        axes.set_xlabel("seconds into the footage")
        axes.legend(loc="upper left", frameon=False, labelcolor=INK, handlelength=1.8)

    return Plot(
        svg(draw, (640, 330), "crossings-wide"), svg(draw, (380, 310), "crossings-narrow"), alt
    )


def trade_plot(trades: Sequence[tuple[str, Trade]]) -> Plot:
    """Precision against recall, one curve a model, its working point marked."""
    said = "; ".join(f"{n}: recall {t.at[0]:.2f}, precision {t.at[1]:.2f}" for n, t in trades)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for name, trade in trades:
            colour = MUTED if trade.subject == TEACHER else ACCENT
            last = trade is trades[-1][1]
            style: Any = "-" if last or colour == MUTED else (0, (2, 2))
            axes.plot(trade.recall, trade.precision, color=colour, ls=style, lw=1.8, label=name)
            axes.plot([trade.at[0]], [trade.at[1]], "o", color=colour, markersize=7)
        low = 0.0 if min(v for _, t in trades for v in t.at) < 0.45 else 0.4
        axes.set_xlim(low, 1.005)
        axes.set_ylim(low, 1.02)
        axes.grid(visible=True, axis="both")
        axes.set_xlabel("recall: how many of the people it finds")
        axes.set_ylabel("precision: how many of its finds are people")
        axes.legend(loc="lower left", frameon=False, labelcolor=INK, handlelength=2.2)

    return Plot(
        svg(draw, (560, 400), "trade-wide"),
        svg(draw, (380, 330), "trade-narrow"),
        f"Precision against recall. {said}.",
    )


def _steps(
    axes: Axes, crossings: Sequence[Crossing], span: tuple[float, float], colour: str, name: str
) -> None:
    times = sorted(c.seconds for c in crossings)
    is_truth = colour == TRUTH
    axes.step(
        [span[0], *times, span[1]],
        [0, *range(1, len(times) + 1), len(times)],
        where="post",
        color=colour,
        linewidth=6.0 if is_truth else 2.0,
        alpha=0.45 if is_truth else 1.0,
        label=name,
    )


def _marks(axes: Axes, counted: Sequence[Crossing], true: Sequence[Crossing] | None) -> None:
    """Below the axis, a row of triangles each: up for "in", down for "out"."""
    most = max(len(counted), len(true or ()), 1)
    step = most * 0.11
    rows = [(counted, ACCENT), *([(true, TRUTH)] if true is not None else [])]
    for row, (crossings, colour) in enumerate(rows):
        level = -(row + 1) * step
        for direction, marker in (("in", "^"), ("out", "v")):
            times = [c.seconds for c in crossings if c.direction == direction]
            axes.plot(
                times, [level] * len(times), marker, color=colour, markersize=6, linestyle="none"
            )
    axes.set_ylim(-(len(rows) + 0.8) * step, most * 1.25)
    axes.set_yticks(range(0, most + 1, -(-most // 6)))
