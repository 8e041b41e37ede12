"""`compression.html`: one page that needs nothing beside itself."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from edgefactory.compress.choosing import Compression
from edgefactory.datasets.files import write_file
from edgefactory.pipelines.compresspage import wording
from edgefactory.pipelines.compresspage.plots import trade_plot
from edgefactory.pipelines.compresspage.table import fastest_first
from edgefactory.pipelines.report.page import TEMPLATES as SHARED
from edgefactory.pipelines.report.page import page_environment
from edgefactory.pipelines.report.tiles import Tile
from edgefactory.pipelines.report.wording import milliseconds, size

TEMPLATES: Final = Path(__file__).with_name("templates")
PAGE: Final = "compression.html"


def write_page(found: Compression, out: Path) -> Path:
    """Write the page into the folder `out`; its path. Raises StorageError."""
    css = [SHARED / "page.css", TEMPLATES / "compress.css"]
    html = (
        page_environment(TEMPLATES)
        .get_template("compress.html.j2")
        .render(
            found=found,
            w=wording,
            tiles=_tiles(found),
            plot=trade_plot(found),
            rows=[(one, wording.row(found, one)) for one in fastest_first(found)],
            css="\n".join(path.read_text(encoding="utf-8") for path in css),
        )
    )
    write_file(out / PAGE, html.encode())
    return out / PAGE


def _tiles(found: Compression) -> list[Tile]:
    """Time, size and quality of what was chosen."""
    if not found.chosen:
        return []
    chosen, reference = found.attempt(found.chosen), found.attempt(found.reference)
    tiles = []
    if chosen.bench is not None:
        floor = milliseconds(found.floor_ms(chosen))
        tiles.append(
            Tile(
                "latency",
                milliseconds(chosen.bench.latency_ms),
                f"p99 {milliseconds(chosen.bench.latency_p99_ms)}; its arithmetic alone, at this "
                f"processor’s f32 peak: {floor}",
            )
        )
        if reference.bench is not None:
            tiles.append(
                Tile(
                    "FP32 in ONNX Runtime",
                    milliseconds(reference.bench.latency_ms),
                    f"{wording.speedup(found, chosen) or 0:.2f} times as long",
                )
            )
    tiles.append(Tile("size", size(chosen.bytes), f"of {size(reference.bytes)}"))
    proof = wording.certificate(found, chosen)
    if proof is not None:
        tiles.append(
            Tile(
                f"{wording.metric(found)} on test",
                f"{proof.value:.3f}",
                f"{wording.points(proof.difference)} points against FP32, in {proof.n} pictures",
            )
        )
    return tiles
