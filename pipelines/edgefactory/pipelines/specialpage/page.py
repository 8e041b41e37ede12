"""The page: what the specialist amounts to, pictures as both see them, and how it came about."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from edgefactory.compress.models import Model
from edgefactory.datasets import Progress
from edgefactory.datasets.files import write_file
from edgefactory.pipelines.report.page import TEMPLATES as SHARED
from edgefactory.pipelines.report.page import page_environment
from edgefactory.pipelines.specialising import Specialised
from edgefactory.pipelines.specialpage import wording
from edgefactory.pipelines.specialpage.pairs import pairs

TEMPLATES: Final = Path(__file__).with_name("templates")
PAGE: Final = "specialise.html"


def write_page(
    made: Specialised, models: tuple[Model, Model], labelled: Path, out: Path, progress: Progress
) -> Path:
    """Write the page into the folder `out`; its path. `models` are specialist and teacher,
    `labelled` is the snapshot with the test split. Raises StorageError."""
    css = [SHARED / "page.css", SHARED / "cards.css"]
    shown = pairs(*models, labelled, progress)
    html = (
        page_environment(TEMPLATES)
        .get_template("specialise.html.j2")
        .render(
            made=made,
            said=made.comparison,
            claim=wording.claim(made),
            judged_by=wording.judged_by(made.comparison),
            heads=wording.HEADS,
            rows=wording.rows(made.comparison),
            names=wording.NAMES,
            pairs=shown,
            boxes=bool(shown) and len(shown[0].shots) > 1,
            css="\n".join(path.read_text(encoding="utf-8") for path in css),
        )
    )
    write_file(out / PAGE, html.encode())
    return out / PAGE
