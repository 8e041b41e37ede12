"""How near each layer of a form comes to the form before, along the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgefactory.compress.parity.document import Found, Step
from edgefactory.pipelines.report.drawing import ACCENT, INK, MUTED, TRUTH, Plot, svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LEAST, _MOST = -10.0, 100.0  # beyond, layers are as good as the same, or as different


def layers_plot(step: Step, found: Found | None) -> Plot | None:
    """The layers of one form in running order; the one that was named is marked. None where there
    are none to show."""
    layers = step.layers
    if not layers:
        return None
    names = [layer.name for layer in layers]
    at = names.index(found.layer) if found and found.layer in names else None

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        places = range(len(layers))
        usual = [(p, _shown(n.normal)) for p, n in enumerate(layers) if n.normal is not None]
        if usual:
            axes.plot(*zip(*usual, strict=True), color=TRUTH, lw=1.6, ls=(0, (3, 3)))
            axes.annotate(
                "normal", usual[-1], color=MUTED, xytext=(5, 5), textcoords="offset points"
            )
        values = [_shown(layer.snr) for layer in layers]
        axes.plot(places, values, color=ACCENT, lw=1.8, marker="o", ms=4)
        if at is not None:
            axes.axvline(at, color=INK, lw=1.0, ls=(0, (2, 3)))
            axes.plot([at], [values[at]], "o", ms=11, mfc="none", mec=INK, mew=1.6)
            side = "left" if at < len(layers) / 2 else "right"
            off = (9, 9) if side == "left" else (-9, 9)
            axes.annotate(
                names[at], (at, values[at]), xytext=off, textcoords="offset points", ha=side,
                fontweight="bold",
            )  # fmt: skip
        axes.set_ylabel("signal over error, dB (at most 100)")
        axes.set_xlabel("layers, in running order")
        axes.set_xticks([0, len(layers) - 1], [names[0], names[-1]])
        axes.margins(y=0.15)

    alt = f"Signal over error of {len(layers)} layers of {step.what}."
    if at is not None:
        alt += f" It breaks at {names[at]}."
    return Plot(svg(draw, (860, 300), f"w{step.what}"), svg(draw, (400, 300), f"n{step.what}"), alt)


def _shown(value: float | None) -> float:
    return min(max(_LEAST if value is None else value, _LEAST), _MOST)
