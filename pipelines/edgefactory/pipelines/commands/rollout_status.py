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

CELLS = 10  # of the bar that shows how far a rollout reaches
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

        tables_console().print(table(found))
    paused = sum(one.rollout.paused for one in found)
    line = f"{len(found)} rollouts, {paused} of them paused"
    return Outcome(line, {"rollouts": [msgspec.to_builtins(one) for one in found]})


def table(found: "tuple[Status, ...]") -> "Table":
    """The rollouts, one a row, each with what the next wave waits for below it."""
    from rich.markup import escape
    from rich.table import Table

    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for title in ("model", "release", "ring", "", "for", "heard", "succeeded", "failed", "next"):
        made.add_column(title, justify="right" if title in {"for", "heard", "failed"} else "left")
    for one in found:
        made.add_row(
            f"[bold]{escape(one.rollout.model)}[/bold]",
            escape(one.version) + (f" [dim]over {escape(one.base)}[/dim]" if one.base else ""),
            _ring(one),
            _bar(one.rollout.bound),
            _age(one.age),
            *_heard(one),
            escape(one.next) or "[dim]-[/dim]",
        )
        for line in one.missing:
            made.add_row("", f"[yellow]waits: {escape(line)}[/yellow]")
    return made


def _ring(one: "Status") -> str:
    from rich.markup import escape

    rollout = one.rollout
    share = f"{rollout.bound / BUCKETS:.3g}".rstrip("0") if rollout.bound else ""
    name = rollout.ring or (f"{float(share):.3g}" if share else "named sites")
    filters = [*rollout.hardware, *rollout.regions]
    filters += [f"{len(rollout.only)} sites"] if rollout.only else []
    text = escape(f"{name} in {', '.join(filters)}" if filters else name)
    return f"[red]{text} paused[/red]" if rollout.paused else text


def _bar(bound: int) -> str:
    full = max(1, round(CELLS * bound / BUCKETS)) if bound else 0
    return f"[green]{'━' * full}[/green][dim]{'━' * (CELLS - full)}[/dim]"


def _heard(one: "Status") -> tuple[str, str, str]:
    found = one.standing
    if found is None:
        return "[dim]-[/dim]", "[dim]-[/dim]", "[dim]-[/dim]"
    share = "-"
    if found.interval is not None:
        low, high = found.interval
        share = f"{found.succeeded / found.heard:.1%} [dim]({low:.1%}–{high:.1%})[/dim]"
    failed = f"[red]{found.failed}[/red]" if found.failed else "0"
    return f"{found.heard} of {found.sites}", share, failed


def _age(seconds: float) -> str:
    if not seconds:
        return "[dim]-[/dim]"
    hours = seconds / 3600
    return f"{hours / 24:.1f} d" if hours >= 48 else f"{hours:.1f} h"
