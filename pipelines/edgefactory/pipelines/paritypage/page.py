"""`parity.json`, and `parity.html`: one page that needs nothing beside itself."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from edge_runtime.contract.codec import encode
from edgefactory.compress.parity import Parity
from edgefactory.datasets import Progress
from edgefactory.datasets.files import fresh_folder, write_file
from edgefactory.pipelines.paritypage import wording
from edgefactory.pipelines.paritypage.pictures import cards, fed_cards
from edgefactory.pipelines.paritypage.plots import layers_plot
from edgefactory.pipelines.paritypage.sides import Sides
from edgefactory.pipelines.report.drawing import Plot
from edgefactory.pipelines.report.page import TEMPLATES as SHARED
from edgefactory.pipelines.report.page import page_environment

TEMPLATES: Final = Path(__file__).with_name("templates")
DOCUMENT: Final = "parity.json"
PAGE: Final = "parity.html"


def write_parity(
    found: Parity, sides: Sides, snapshot: Path, out: Path, progress: Progress
) -> Path:
    """Write both files into the folder `out`; the page's path. `snapshot` has the pictures.

    Raises InputError when `out` holds something else, StorageError when it cannot be written.
    """
    with fresh_folder(out, DOCUMENT) as work:
        write_file(work / DOCUMENT, encode(found))
        write_file(work / PAGE, render(found, sides, snapshot, progress).encode())
    return out / PAGE


def render(found: Parity, sides: Sides, snapshot: Path, progress: Progress) -> str:
    """The page as HTML."""
    css = [SHARED / "page.css", SHARED / "cards.css"]
    shown = cards(found, snapshot, progress)
    bisection = found.bisection
    return (
        page_environment(TEMPLATES)
        .get_template("parity.html.j2")
        .render(
            found=found,
            claim=wording.claim(found).split(". ")[0],
            parts=wording.parts(found),
            called=wording.called,
            decisions=wording.decisions(found),
            percent=wording.percent,
            signed=wording.signed,
            metrics=wording.METRICS,
            labelled=wording.labelled,
            verdicts=wording.VERDICTS,
            heads=wording.HEADS,
            rows=wording.rows(found),
            steps=[wording.step_row(step) for step in bisection.steps] if bisection else [],
            plots=_plots(found),
            fed=fed_cards(found, sides, snapshot),
            cards=shown,
            boxes=bool(shown) and len(shown[0].shots) > 1,
            css="\n".join(path.read_text(encoding="utf-8") for path in css),
        )
    )


def _plots(found: Parity) -> list[tuple[str, Plot]]:
    """The layers of the form that was named, and of those with anything to see."""
    if found.bisection is None:
        return []
    named = found.bisection.found
    made = []
    for step in found.bisection.steps:
        plot = layers_plot(step, named) if step.departs and step.layers else None
        if plot is not None:
            made.append((step.what, plot))
    return made
