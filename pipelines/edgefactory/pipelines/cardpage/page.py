"""The model card's page, from the very facts that its Markdown is written from."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from edgefactory.pipelines.cardpage import wording
from edgefactory.pipelines.cardpage.pictures import golden_shots, preview
from edgefactory.pipelines.report.axes import Axis, linear
from edgefactory.pipelines.report.page import TEMPLATES as SHARED
from edgefactory.pipelines.report.page import page_environment
from edgefactory.registry import Facts, ReleaseSettings
from edgefactory.registry.card import UNSTATED, host_says, identities, identity_says, label_rows
from edgefactory.registry.card import labelling_says as pictures_say
from edgefactory.registry.figures import Row, columns, kind_and_name, parts, rows

TEMPLATES: Final = Path(__file__).with_name("templates")


def make_page(settings: ReleaseSettings, facts: Facts) -> bytes:
    """The page; the same facts give the same bytes. Raises InputError, TrustError."""
    found = rows(facts.book, facts.offered)
    sliced = [
        (*kind_and_name(part), row) for part in parts(facts.book) for row in _slice(facts, part)
    ]
    shown = wording.fastest(found, facts.offered)
    css = [SHARED / "page.css", SHARED / "cards.css", TEMPLATES / "card.css"]
    environment = page_environment(TEMPLATES)
    html = environment.get_template("card.html.j2").render(
        s=settings,
        unstated=UNSTATED,
        facts=facts,
        w=wording,
        identity=identity_says(settings, facts),
        host=host_says(facts.book),
        tiles=wording.tiles(shown),
        shown=shown,
        rows=found,
        columns=columns(found),
        axis=_axis(found),
        sliced=sliced,
        part_columns=columns([row for *_, row in sliced]),
        part_axis=_axis([row for *_, row in sliced]),
        shots=golden_shots(facts, shown.subject) if shown else [],
        preview=preview(facts.preview),
        pictures_say=pictures_say(facts.snapshot),
        labels=label_rows(facts.snapshot),
        identities=identities(facts),
        css="\n".join(path.read_text(encoding="utf-8") for path in css),
    )
    return html.encode()


def _slice(facts: Facts, part: str) -> tuple[Row, ...]:
    names = {variant.name for variant in facts.offered}
    return tuple(row for row in rows(facts.book, facts.offered, part) if row.subject in names)


def _axis(found: list[Row] | tuple[Row, ...]) -> Axis:
    """One that holds every quality with its interval."""
    ends: list[float] = []
    for row in found:
        for metric in wording.QUALITIES:
            item = row.figures.get(metric)
            if item is not None:
                ends += [item.value, *(item.interval or ())]
    return linear(ends)
