"""The page: a table of what was looked for, then a sheet of pictures for each kind found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_runtime.contract.codec import encode
from edgefactory.datasets.checks import KINDS, CheckReport, Kind
from edgefactory.datasets.documents import Progress
from edgefactory.datasets.files import fresh_folder, write_file
from edgefactory.datasets.manifest import stream_items
from edgefactory.pipelines.checkpage.cards import Card, card
from edgefactory.pipelines.checkpage.wording import WORDS, Words
from edgefactory.pipelines.report.page import TEMPLATES as SHARED
from edgefactory.pipelines.report.page import page_environment

MOST_SHOWN: Final = 24  # findings of a kind on the page; check.json has them all
TEMPLATES: Final = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class Sheet:
    """One kind's findings as the page shows them; `skipped` says why there are none to show."""

    kind: Kind
    words: Words
    found: int
    cards: tuple[Card, ...]
    skipped: str | None


def write_page(folder: Path, report: CheckReport, out: Path, progress: Progress) -> Path:
    """Write `check.html` and `check.json` into the folder `out`; the page's path.

    `folder` is the snapshot that `report` is about. Raises `InputError` when `out` holds something
    else, `StorageError` when it cannot be written.
    """
    sheets = _sheets(folder, report, progress)
    with fresh_folder(out, "check.json") as work:
        write_file(work / "check.html", _render(report, sheets).encode())
        write_file(work / "check.json", encode(report))
    return out / "check.html"


def _sheets(folder: Path, report: CheckReport, progress: Progress) -> list[Sheet]:
    shown = {kind: report.of(kind)[:MOST_SHOWN] for kind in KINDS}
    wanted = {item for findings in shown.values() for one in findings for item in one.items}
    items = {item.id: item for item in stream_items(folder) if item.id in wanted}
    sheets: list[Sheet] = []
    total, done = sum(map(len, shown.values())), 0
    for kind, findings in shown.items():
        cards = []
        for finding in findings:
            cards.append(card(folder, finding, items))
            done += 1
            progress(done, total, "drawing the page")
        found, why = report.found.get(kind, 0), report.skipped.get(kind)
        sheets.append(Sheet(kind, WORDS[kind], found, tuple(cards), why))
    return sheets


def _render(report: CheckReport, sheets: list[Sheet]) -> str:
    css = [SHARED / "page.css", SHARED / "cards.css"]
    return (
        page_environment(TEMPLATES)
        .get_template("check.html.j2")
        .render(
            report=report,
            sheets=sheets,
            css="\n".join(path.read_text(encoding="utf-8") for path in css),
            total=sum(report.found.values()),
        )
    )
