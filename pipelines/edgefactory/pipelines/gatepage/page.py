"""`verdict.html`: one page that needs nothing beside itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec import UnsetType

from edge_runtime.contract import Release
from edgefactory.datasets.files import write_file
from edgefactory.pipelines.gatepage import wording
from edgefactory.pipelines.report.page import TEMPLATES as SHARED
from edgefactory.pipelines.report.page import page_environment
from edgefactory.pipelines.report.tiles import Tile
from edgefactory.registry import Verdict

TEMPLATES: Final = Path(__file__).with_name("templates")
PAGE: Final = "verdict.html"


@dataclass(frozen=True)
class Judged:
    """The release that the verdict is about, the policy's text, and the champion, if any."""

    release: Release
    policy: str
    against: Release | None = None


def write_page(verdict: Verdict, judged: Judged, out: Path) -> Path:
    """Write the page into the folder `out`; its path. Raises StorageError."""
    css = [SHARED / "page.css", TEMPLATES / "verdict.css"]
    html = (
        page_environment(TEMPLATES)
        .get_template("verdict.html.j2")
        .render(
            verdict=verdict,
            release=judged.release,
            policy=judged.policy,
            against=judged.against,
            against_sha256=None if isinstance(verdict.against, UnsetType) else verdict.against,
            w=wording,
            tiles=_tiles(verdict, judged),
            rulings=wording.rulings(verdict),
            css="\n".join(path.read_text(encoding="utf-8") for path in css),
        )
    )
    write_file(out / PAGE, html.encode())
    return out / PAGE


def _tiles(verdict: Verdict, judged: Judged) -> list[Tile]:
    rules = wording.rulings(verdict)
    held = sum(one.passed for one in rules)
    failed = sum(not found.passed for found in verdict.rules)
    tiles = [
        Tile("rules that hold", f"{held} of {len(rules)}", f"{len(verdict.rules)} findings"),
        Tile("findings against it", str(failed), "a release passes with none"),
        Tile("variants", str(len(judged.release.variants)), "offered to sites"),
    ]
    if judged.against is not None:
        name = f"{judged.against.version}"
        tiles.append(Tile("compared with", name, f"sequence {judged.against.sequence}, in use"))
    return tiles
