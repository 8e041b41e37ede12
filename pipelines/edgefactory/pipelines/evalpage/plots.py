"""The curves of an evaluation: precision over recall, ROC, reliability."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgefactory.pipelines.report.drawing import ACCENT, INK, MUTED, RULE, Plot, svg
from edgefactory.training.evaluation import Calibration, Curve, Reliability

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def curve_plot(curve: Curve) -> Plot:
    """Precision over recall with the operating point, or true over false accepts."""
    roc = curve.kind == "roc"

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.plot(curve.x, curve.y, color=ACCENT, lw=2.0, solid_capstyle="round")
        if roc:
            axes.set_xscale("log")
        else:
            axes.set_xlim(0, 1.01)
            axes.set_ylim(0, 1.03)
        if curve.at is not None:
            _mark(axes, curve.at)
        axes.grid(visible=True, axis="both")
        axes.set_xlabel("share of different pairs accepted" if roc else "recall")
        axes.set_ylabel("share of same pairs accepted" if roc else "precision")

    what = "True over false accept rate" if roc else "Precision over recall"
    at = f", at recall {curve.at[0]:.2f} a precision of {curve.at[1]:.2f}" if curve.at else ""
    return Plot(
        svg(draw, (500, 380), "curve-wide"), svg(draw, (380, 320), "curve-narrow"), f"{what}{at}."
    )


def reliability_plot(calibration: Calibration) -> Plot:
    """Share right over confidence, before and after the temperature, with intervals."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], color=INK, lw=1.0, ls=(0, (3, 3)))
        after = calibration.after
        name = "as it is" if after else None
        _bins(axes, calibration.before, MUTED if after else ACCENT, name)
        if after is not None:
            _bins(axes, after, ACCENT, f"at temperature {calibration.temperature:.2f}")
            axes.legend(loc="upper left", frameon=False, labelcolor=INK, handlelength=1.4)
        axes.set_xlim(0, 1.01)
        axes.set_ylim(0, 1.03)
        axes.grid(visible=True, axis="both")
        axes.set_xlabel("confidence")
        axes.set_ylabel("share that is right")

    before = calibration.before.ece.value
    return Plot(
        svg(draw, (500, 380), "reliability-wide"),
        svg(draw, (380, 320), "reliability-narrow"),
        f"Share that is right over confidence; expected calibration error {before:.3f}.",
    )


def _mark(axes: Axes, at: tuple[float, float]) -> None:
    axes.plot([at[0]], [at[1]], "o", color=ACCENT, markersize=9)
    axes.plot([at[0], at[0]], [0, at[1]], color=RULE, lw=1.2)
    axes.annotate(
        f"{at[1]:.2f} at {at[0]:.2f}",
        at,
        (-10, -16),
        textcoords="offset points",
        ha="right",
        fontweight="bold",
    )


def _bins(axes: Axes, found: Reliability, colour: str, name: str | None) -> None:
    told = [one for one in found.bins if one.right.value is not None and one.right.interval]
    sure = [one.confidence for one in told]
    right = [one.right.value or 0.0 for one in told]
    ends = np.array([one.right.interval or (0.0, 0.0) for one in told]).reshape(-1, 2).T
    axes.vlines(sure, ends[0], ends[1], color=colour, lw=1.2, alpha=0.7)
    axes.plot(sure, right, "o-", color=colour, lw=1.6, markersize=5, label=name)
