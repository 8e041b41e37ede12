"""Drawings as inline SVG that takes its colours from the page, so that it is light or dark with it.

Matplotlib draws with stand-in colours, one a role; each is then replaced by the page's CSS
variable. Text stays text. The bytes depend on what is drawn alone.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, MUTED, RULE, ACCENT, TRUTH, SOFT = (f"#00000{i}" for i in range(1, 7))
_ROLES = {
    INK: "ink",
    MUTED: "muted",
    RULE: "rule",
    ACCENT: "accent",
    TRUTH: "truth",
    SOFT: "accent-soft",
}
_DPI = 72  # one unit of the drawing is one CSS pixel
_RC = {
    "svg.fonttype": "none",
    "font.size": 12.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "ytick.left": False,
    "text.color": INK,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": RULE,
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.titlesize": 12.0,
    "axes.titlelocation": "left",
    "axes.titleweight": "normal",
}


@dataclass(frozen=True)
class Plot:
    """One drawing for wide pages and one for narrow ones, and its words for who cannot see it."""

    wide: str
    narrow: str
    alt: str


def svg(draw: Callable[[Figure], None], size: tuple[int, int], salt: str) -> str:
    """What `draw` draws, `size` (width, height) in CSS pixels; `salt` keeps ids apart."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    settings: Any = {**_RC, "svg.hashsalt": salt}
    with rc_context(settings):
        figure = Figure(figsize=(size[0] / _DPI, size[1] / _DPI), dpi=_DPI, layout="constrained")
        FigureCanvasSVG(figure)
        figure.patch.set_visible(False)
        draw(figure)
        for axes in figure.axes:
            axes.patch.set_visible(False)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return _themed(buffer.getvalue(), _ROLES)


def _themed(svg: str, roles: Mapping[str, str]) -> str:
    """The drawing alone, its stand-in colours replaced by the page's variables."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", body, count=1)
    body = re.sub(r'<g id="[^"]*">', "<g>", body)
    body = re.sub(r" font-family: [^;\"]*;?", "", body)
    body = re.sub(r"font: ([^;\"]*?) '[^;\"]*", r"font-size: 12px; font-weight: bold", body)
    body = re.sub(r' transform="rotate\(-?0 [^"]*\)"', "", body)
    body = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\d+\.\d)\d+", r"\1", tag[0]), body)
    for colour, role in roles.items():
        body = body.replace(colour, f"var(--{role})")
    return body
