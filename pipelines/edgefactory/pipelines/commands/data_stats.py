"""Count what is in a snapshot: pictures and labels by split, class, size, origin, state, source."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

if TYPE_CHECKING:
    from rich.console import Console

    from edgefactory.datasets import Statistics
    from edgefactory.datasets.statistics import Size

HELP = "what is in a snapshot, counted"
STAGE: str | None = None

PLAIN_WIDTH = 120  # columns where there is no terminal to ask
MOST_SOURCES = 20  # shown; --json has all


def options(parser: ArgumentParser) -> None:
    """The snapshot."""
    parser.add_argument("snapshot", metavar="SNAP", help="the folder of the snapshot")


def run(args: Namespace, screen: Screen) -> Outcome:
    """The tables go to stdout."""
    from pathlib import Path

    import msgspec

    from edgefactory.datasets import statistics

    found = statistics(Path(args.snapshot), screen.progress)
    screen.clear()
    if not args.json:
        _print(found)
    line = (
        f"{found.digest[:12]} {found.name}: {found.pictures} pictures, {found.labels} labels, "
        f"{found.bounded} of them with a bound on their error"
    )
    return Outcome(line, msgspec.to_builtins(found))


def _print(found: "Statistics") -> None:
    from rich.console import Console

    console = Console()
    console = console if console.is_terminal else Console(width=PLAIN_WIDTH)
    _table(
        console,
        ("split", "pictures", "without label", "reviewed", "labels"),
        [
            (name, one.pictures, one.empty, one.reviewed, one.labels)
            for name, one in found.splits.items()
        ],
    )
    _table(
        console,
        ("class", "split", "pictures", "labels", "sizes", "origins", "states"),
        [
            (
                *(class_, split, one.pictures, one.labels),
                *(_shares(one.sizes), _shares(one.origins), _shares(one.states)),
            )
            for class_, splits in found.classes.items()
            for split, one in splits.items()
        ],
    )
    _table(
        console,
        ("source", "pictures", "from", "to"),
        [
            (name, one.pictures, f"{one.first:g} s", f"{one.last:g} s")
            for name, one in list(found.sources.items())[:MOST_SOURCES]
        ],
    )
    if len(found.sources) > MOST_SOURCES:
        console.print(f"and {len(found.sources) - MOST_SOURCES} sources more")


def _table(console: "Console", titles: tuple[str, ...], rows: "list[tuple[object, ...]]") -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    console.print(table)
    console.print()


def _shares(counts: "Mapping[str, int] | Mapping[Size, int]") -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
