"""What the line made, shown: `report.html` for people, `summary.json` for machines.

Reading order: `schema` (what is told), `inputs` (what is read), `summarise`, `page`.
"""

from edgefactory.pipelines.report.build import build_report
from edgefactory.pipelines.report.schema import (
    EdgeResult,
    Figures,
    GateResult,
    Summary,
    read_summary,
)
from edgefactory.pipelines.report.screenshot import render_picture
from edgefactory.pipelines.report.terminal import show_summary

__all__ = [
    "EdgeResult",
    "Figures",
    "GateResult",
    "Summary",
    "build_report",
    "read_summary",
    "render_picture",
    "show_summary",
]
