"""Say how each rollout stands: ring, age, sites heard, successes with their interval, what is next.

With --reports and --devices the reports are read (and verified, each by its device key); nothing
is written. --json has everything, with the reasons of failures and of refused reports.
"""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.rolling import add_published, add_witnesses, witnesses_of
from edgefactory.pipelines.screen import Screen

if TYPE_CHECKING:
    from rich.table import Table

    from edgefactory.registry.rollouts import Status

HELP = "how each rollout stands"
STAGE: str | None = None

CELLS = 6  # of the bar that shows how far a rollout reaches
BUCKETS = 16384


def options(parser: ArgumentParser) -> None:
    """The tree, the rings, the reports."""
    parser.add_argument(
        "--rings",
        metavar="FILE",
        help="rings and waves; needed with --reports, and for what is next",
    )
    add_witnesses(parser)
    add_published(parser)


def run(args: Namespace, _screen: Screen) -> Outcome:
    """The table goes to stdout."""
    from pathlib import Path

    import msgspec

    from edgefactory.datasets.errors import InputError
    from edgefactory.registry.rollouts import read_rings, status

    witnesses = witnesses_of(args)
    if witnesses is not None and args.rings is None:
        raise InputError("--reports needs --rings FILE, which says how old a report may be")
    rings = read_rings(Path(args.rings)) if args.rings is not None else None
    found = status(Path(args.published), rings, witnesses)
    if not args.json and found:
        from edgefactory.pipelines.consoles import tables_console

        console = tables_console()
        console.print(table(found))
        for note in notes(found):
            console.print(note)
    paused = sum(one.rollout.paused for one in found)
    line = f"{len(found)} rollouts, {paused} of them paused"
    return Outcome(line, {"rollouts": [msgspec.to_builtins(one) for one in found]})


def table(found: "tuple[Status, ...]") -> "Table":
    """The rollouts, one a row."""
    from rich.markup import escape
    from rich.table import Table

    share = next((f"{one.standing.confidence:.0%}" for one in found if one.standing), "interval")
    titles = ("model", "release", "ring", "", "for", "heard", "good", share, "failed")
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for title in titles:
        right = title in {"for", "heard", "good", "failed"}
        made.add_column(title, justify="right" if right else "left", no_wrap=True)
    made.add_column("next", no_wrap=True)
    for one in found:
        made.add_row(
            f"[bold]{escape(one.rollout.model)}[/bold]",
            (f"[dim]{escape(one.base)} →[/dim] " if one.base else "") + escape(one.version),
            _ring(one),
            _bar(one.rollout.bound),
            _age(one.age),
            *_heard(one),
            escape(one.next) or "[dim]-[/dim]",
        )
    return made


def notes(found: "tuple[Status, ...]") -> list[str]:
    """Who alone takes part in each rollout, and what it waits for; rich's markup, a line each."""
    from rich.markup import escape

    lines = []
    for one in found:
        name, rollout = f"[bold]{escape(one.rollout.model)}[/bold]", one.rollout
        filters = [*rollout.hardware, *rollout.regions]
        filters += [f"{len(rollout.only)} sites by name"] if rollout.only else []
        if filters:
            lines.append(f"{name} only: {escape(', '.join(filters))}")
        lines += [f"{name} [yellow]waits: {escape(line)}[/yellow]" for line in one.missing]
    return lines


def _ring(one: "Status") -> str:
    from rich.markup import escape

    rollout = one.rollout
    name = rollout.ring or (f"{100 * rollout.bound / BUCKETS:.3g}%" if rollout.bound else "none")
    return f"[red]{escape(name)} paused[/red]" if rollout.paused else escape(name)


def _bar(bound: int) -> str:
    full = max(1, round(CELLS * bound / BUCKETS)) if bound else 0
    return f"[green]{'━' * full}[/green][dim]{'─' * (CELLS - full)}[/dim]"


def _heard(one: "Status") -> tuple[str, str, str, str]:
    found = one.standing
    if found is None:
        return ("[dim]-[/dim]",) * 4
    share, interval = "-", "-"
    if found.interval is not None:
        low, high = found.interval
        share, interval = (
            _percent(found.succeeded / found.heard),
            f"{_percent(low)}–{_percent(high)}",
        )
    failed = f"[red]{found.failed}[/red]" if found.failed else "0"
    return f"{found.heard} of {found.sites}", share, f"[dim]{interval}[/dim]", failed


def _percent(share: float) -> str:
    """100% is what lacks nothing."""
    text = f"{share:.1%}"
    return "99.9%" if text == "100.0%" and share < 1 else text


def _age(seconds: float) -> str:
    if not seconds:
        return "[dim]-[/dim]"
    hours = seconds / 3600
    return f"{hours / 24:.1f} d" if hours >= 48 else f"{hours:.1f} h"
