"""`tune.json`, and `tune.html`: one page that needs nothing beside itself."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from edge_runtime.contract.codec import encode
from edgefactory.datasets.files import write_file
from edgefactory.pipelines.report.page import TEMPLATES as SHARED
from edgefactory.pipelines.report.page import page_environment
from edgefactory.pipelines.report.tiles import Tile
from edgefactory.pipelines.tunepage import wording
from edgefactory.pipelines.tunepage.plots import trade_plot, worth_showing
from edgefactory.pipelines.tunepage.table import best_first, marks
from edgefactory.training.tuning.document import Tune
from edgefactory.training.tuning.folder import RESULT

TEMPLATES: Final = Path(__file__).with_name("templates")
PAGE: Final = "tune.html"


def write_search(found: Tune, out: Path) -> Path:
    """Write both files into the search's folder; the page's path.

    Raises StorageError when they cannot be written.
    """
    write_file(out / PAGE, render(found).encode())
    write_file(out / RESULT, encode(found))
    return out / PAGE


def render(found: Tune) -> str:
    """The page as HTML."""
    css = [SHARED / "page.css", TEMPLATES / "tune.css"]
    low, _ = worth_showing(found)
    return (
        page_environment(TEMPLATES)
        .get_template("tune.html.j2")
        .render(
            found=found,
            w=wording,
            tiles=_tiles(found),
            plots=[trade_plot(found, b, place) for place, b in enumerate(found.budgets)],
            unseen=sum(c.value is not None and c.value < low for c in found.candidates),
            explained=wording.explained(found),
            candidates=[(one, marks(one, found)) for one in best_first(found)],
            css="\n".join(path.read_text(encoding="utf-8") for path in css),
        )
    )


def _tiles(found: Tune) -> list[Tile]:
    """The metric on val and test, and what it costs of each budget."""
    file = found.winner.files[0]
    tiles = [Tile(f"{wording.metric(found)} on val", f"{found.winner.value:.3f}", "chosen by this")]
    test = wording.judged(file, "test", found)
    if test:
        value, _, interval = test.partition(" ")
        tiles.append(Tile(f"{wording.metric(found)} on test", value, interval))
    for check in found.winner.checks:
        limit = wording.quantity(check.budget.limit, check.budget.quantity)
        tiles.append(
            Tile(
                wording.budget_name(check.budget),
                wording.quantity(check.figure, check.budget.quantity),
                f"measured again, of {limit}" if check.holds else f"OVER the budget of {limit}",
            )
        )
    return tiles
