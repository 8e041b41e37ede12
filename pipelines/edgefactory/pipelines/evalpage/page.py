"""`evaluation.json`, and `evaluation.html`: one page that needs nothing beside itself."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from edge_runtime.contract.codec import encode
from edgefactory.datasets import Progress, stream_items
from edgefactory.datasets.files import fresh_folder, write_file
from edgefactory.pipelines.evalpage import view, wording
from edgefactory.pipelines.evalpage.plots import curve_plot, reliability_plot
from edgefactory.pipelines.report.page import TEMPLATES as SHARED
from edgefactory.pipelines.report.page import page_environment
from edgefactory.training.evaluation import Evaluation

TEMPLATES: Final = Path(__file__).with_name("templates")
DOCUMENT: Final = "evaluation.json"


def write_evaluation(found: Evaluation, snapshot: Path, out: Path, progress: Progress) -> Path:
    """Write both files into the folder `out`; the page's path. `snapshot` has the pictures.

    Raises InputError when `out` holds something else, StorageError when it cannot be written.
    """
    with fresh_folder(out, DOCUMENT) as work:
        write_file(work / DOCUMENT, encode(found))
        write_file(work / "evaluation.html", render(found, snapshot, progress).encode())
    return out / "evaluation.html"


def render(found: Evaluation, snapshot: Path, progress: Progress) -> str:
    """The page as HTML."""
    wanted = {picture for one in found.mistakes for picture in (one.item, one.other)}
    items = {item.id: item for item in stream_items(snapshot) if item.id in wanted}
    css = [SHARED / "page.css", SHARED / "cards.css", TEMPLATES / "evaluation.css"]
    judged = found.calibration is not None and found.calibration.before.ece.value is not None
    environment = page_environment(TEMPLATES)
    environment.filters |= {"value": wording.value, "bounds": wording.bounds}
    return environment.get_template("evaluation.html.j2").render(
        found=found,
        figures=wording.FIGURES,
        called=wording.called(found),
        claim=wording.claim(found),
        judged_on=wording.judged_on(found),
        dearest=wording.DEAREST[found.model.task],
        point_says=wording.point_says(found),
        calibration_says=wording.calibration_says(found),
        tiles=view.tiles(found),
        sheets=view.sheets(found),
        unsliced={wording.BY[by]: why for by, why in found.unsliced.items()},
        matrix=view.matrix(found.confusion),
        albums=view.albums(found, snapshot, items, progress),
        curve=curve_plot(found.curve) if found.curve and found.curve.x else None,
        reliability=reliability_plot(found.calibration) if judged and found.calibration else None,
        css="\n".join(path.read_text(encoding="utf-8") for path in css),
    )
