"""All attempts as a table on a terminal, the fastest first."""

from __future__ import annotations

import math
from typing import Final

from edgefactory.compress.choosing import Attempt, Compression
from edgefactory.pipelines.compresspage import wording
from edgefactory.pipelines.consoles import tables_console

_TEXT: Final = ("form", "")


def print_attempts(found: Compression) -> None:
    """Print every attempt, and how it was timed, to stdout."""
    from rich.table import Table

    console = tables_console()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in wording.HEADS:
        right = head not in _TEXT
        table.add_column(head, justify="right" if right else "left", overflow="fold")
    for attempt in fastest_first(found):
        style = "bold" if attempt.name == found.chosen else None if attempt.kept else "dim"
        table.add_row(*wording.row(found, attempt), style=style)
    console.print(table)
    for what, why in found.skipped.items():
        console.print(f"{what}: {why}", style="dim", markup=False)
    console.print(wording.said_bench(found), style="dim", markup=False)


def fastest_first(found: Compression) -> list[Attempt]:
    """Those that keep the margins first, then by time."""

    def place(attempt: Attempt) -> tuple[bool, float]:
        return not attempt.kept, attempt.bench.latency_ms if attempt.bench else math.inf

    return sorted(found.attempts, key=place)
