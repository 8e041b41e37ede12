"""A search as a table on a terminal, and in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edgefactory.pipelines.consoles import tables_console
from edgefactory.pipelines.tunepage import wording
from edgefactory.training.tuning.document import Candidate, Tune
from edgefactory.training.tuning.search import FIRST

if TYPE_CHECKING:
    from rich.console import Console

MOST_ROWS: Final = 12  # candidates; the page has them all


def print_search(found: Tune) -> None:
    """Print the best candidates, the winner's files and the explanation, to stdout."""
    console = tables_console()
    _candidates(console, found)
    _files(console, found)
    for said in wording.explained(found):
        console.print(said, markup=False)
    console.print()


def best_first(found: Tune) -> list[Candidate]:
    """The candidates: those trained to the end first, each group by its value."""
    order = {"complete": 0, "stopped": 1, "failed": 2}
    return sorted(found.candidates, key=lambda c: (order[c.state], -(c.value or 0.0), c.number))


def marks(candidate: Candidate, found: Tune) -> str:
    """What is to be said of a candidate beside its figures."""
    said = ["winner"] if candidate.number == found.winner.number else []
    if candidate.number in found.front:
        said.append("front")
    if candidate.number == FIRST:
        said.append("start")
    if candidate.state == "stopped":
        said.append(f"stopped after {candidate.epochs}")
    return ", ".join([*said, "failed"] if candidate.state == "failed" else said)


def _candidates(console: Console, found: Tune) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", justify="right")
    table.add_column(wording.metric(found), justify="right")
    for budget in found.budgets:
        table.add_column(wording.budget_name(budget), justify="right")
    for title in ("architecture", "unlike the start", ""):
        table.add_column(title, overflow="fold")
    told = best_first(found)
    for one in told[:MOST_ROWS]:
        spent = [wording.spent(one, budget) for budget in found.budgets]
        table.add_row(
            str(one.number),
            "–" if one.value is None else f"{one.value:.3f}",
            *spent,
            escape(wording.architecture(one.values)),
            escape(wording.settings(one.values, found)),
            marks(one, found),
            style="bold" if one.number == found.winner.number else None,
        )
    console.print(table)
    if len(told) > MOST_ROWS:
        console.print(f"and {len(told) - MOST_ROWS} more", style="dim")
    console.print()


def _files(console: Console, found: Tune) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("the winner, measured again")
    for title in ("size", "latency", f"{wording.metric(found)} val", "test"):
        table.add_column(title, justify="right")
    for file in found.winner.files:
        table.add_row(
            file.file,
            wording.quantity(file.bytes, "bytes"),
            wording.quantity(file.latency.ms, "latency_ms") if file.latency else "–",
            wording.judged(file, "val", found),
            wording.judged(file, "test", found) or "–",
        )
    console.print(table)
    for check in found.winner.checks:
        if not check.holds:
            figure = wording.quantity(check.figure, check.budget.quantity)
            console.print(f"over the budget {check.budget}: {figure}", style="bold red")
    console.print()
