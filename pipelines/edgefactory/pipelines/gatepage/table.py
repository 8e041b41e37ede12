"""The verdict on one screen of a terminal: each rule in a row, and what is against it."""

from __future__ import annotations

from textwrap import shorten
from typing import TYPE_CHECKING, Final

from edgefactory.pipelines.consoles import tables_console
from edgefactory.pipelines.gatepage.wording import (
    alike,
    called,
    found_in,
    rulings,
    subject_of,
)
from edgefactory.pipelines.report.wording import required
from edgefactory.registry import Finding, Verdict

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

SHOWN: Final = 3  # failed findings of a rule; verdict.json has all
REASON_WIDTH: Final = 150  # characters


def print_verdict(verdict: Verdict) -> None:
    """Print the verdict to stdout, in colour where the terminal has it."""
    from rich.table import Table
    from rich.text import Text

    console = tables_console()
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    table.add_column("rule", overflow="fold")
    table.add_column("about", overflow="fold")
    table.add_column("found", justify="right", no_wrap=True)
    table.add_column("required", overflow="fold")
    for ruling in rulings(verdict):
        name = called(ruling.rule)
        if ruling.passed:
            for findings in alike(ruling.findings):
                _row(table, Text("holds", style="green"), name, findings)
                name = ""
            continue
        for found in ruling.failed[:SHOWN]:
            _row(table, Text("fails", style="bold red"), name, (found,))
            name = ""
        if len(ruling.failed) > SHOWN:
            table.add_row("", "", Text(f"and {len(ruling.failed) - SHOWN} more", style="dim"))
    console.print(table)
    for ruling in rulings(verdict):
        for found in ruling.failed[:SHOWN]:
            reason = shorten(found.reason, REASON_WIDTH)
            said = f"{called(found.rule)}: {found.subject}: {reason}"
            console.print(said, style="red", markup=False)


def _row(table: Table, mark: Text, name: str, findings: tuple[Finding, ...]) -> None:
    from rich.text import Text

    cells = (name, subject_of(findings), found_in(findings), required(findings[0].required))
    table.add_row(mark, *(Text(cell) for cell in cells))
