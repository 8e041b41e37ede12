"""All attempts as a table on a terminal, the fastest first."""

from __future__ import annotations

import math
from typing import Final

from edgefactory.compress.choosing import Attempt, Compression
from edgefactory.pipelines.compresspage import wording
from edgefactory.pipelines.consoles import tables_console

_HEADS: Final = tuple(head for head in wording.HEADS if head != "floor")  # it is in the page
_TEXT: Final = ("form", "")


def print_attempts(found: Compression) -> None:
    """Print every attempt, and how it was timed, to stdout; the page says more of each."""
    from rich.markup import escape
    from rich.table import Table

    console = tables_console()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in _HEADS:
        table.add_column(head, justify="left" if head in _TEXT else "right", no_wrap=bool(head))
    for attempt in fastest_first(found):
        style = "bold" if attempt.name == found.chosen else None if attempt.kept else "dim"
        cells = dict(zip(wording.HEADS, wording.row(found, attempt), strict=True))
        cells["form"] = escape(cells["form"])
        cells[""] = escape(wording.short_note(found, attempt))
        table.add_row(*(cells[head] for head in _HEADS), style=style)
    console.print(table)
    for what, why in found.skipped.items():
        console.print(f"{what}: {why}", style="dim", markup=False)
    console.print(wording.said_bench(found), style="dim", markup=False)


def fastest_first(found: Compression) -> list[Attempt]:
    """Those that keep the margins first, then by time."""

    def place(attempt: Attempt) -> tuple[bool, float]:
        return not attempt.kept, attempt.bench.latency_ms if attempt.bench else math.inf

    return sorted(found.attempts, key=place)
