"""Look for what is wrong with a snapshot: copies, leaks, doubtful labels and boxes, bad pictures.

The table goes to stdout, --json prints the whole report, --out writes it as check.json with
check.html, a page of the pictures. With --teacher a model is asked too: a detector finds missing,
misplaced and unseen boxes, a classifier judges labels (see `label auto` for how to name one).
A finding is a reason to look, not a verdict: the exit code is 0 whatever was found.
"""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen
from edgefactory.pipelines.teaching import chosen_teachers

if TYPE_CHECKING:
    from edgefactory.datasets.checks import CheckReport

HELP = "find duplicates, leaks, label errors, bad boxes and bad pictures"
STAGE: str | None = None

PLAIN_WIDTH = 120  # columns where there is no terminal to ask


def options(parser: ArgumentParser) -> None:
    """The snapshot, who is asked, and where the page goes."""
    parser.add_argument("snapshot", metavar="SNAP", help="the folder of the snapshot")
    parser.add_argument(
        "--teacher",
        metavar="TEACHER",
        action="append",
        default=[],
        help="a model to ask; several are fused",
    )
    parser.add_argument(
        "--classes", metavar="A,B", default="", help="the classes of a model that names none"
    )
    parser.add_argument("--out", metavar="DIR", help="write check.html and check.json there")


def run(args: Namespace, screen: Screen) -> Outcome:
    """A snapshot -> what to look at."""
    from pathlib import Path

    import msgspec

    from edgefactory.datasets.checks import check_data
    from edgefactory.datasets.teachers import open_teachers

    folder = Path(args.snapshot)
    teacher = open_teachers(chosen_teachers(args)) if args.teacher else None
    report = check_data(folder, teacher, screen.progress)
    where = ""
    if args.out:
        from edgefactory.pipelines.checkpage import write_page

        where = f"; {write_page(folder, report, Path(args.out), screen.progress)}"
    screen.clear()
    if not args.json:
        _print(report)
    total = sum(report.found.values())
    line = f"{report.snapshot[:12]} {report.name}: {total} to look at in {report.pictures} pictures"
    return Outcome(line + where, msgspec.to_builtins(report))


def _print(report: "CheckReport") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from edgefactory.datasets.checks import KINDS

    console = Console()
    console = console if console.is_terminal else Console(width=PLAIN_WIDTH)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("looked for", no_wrap=True)
    table.add_column("found", justify="right")
    table.add_column("the plainest")
    for kind in KINDS:
        if kind in report.skipped:
            table.add_row(kind, "-", f"not looked for: {report.skipped[kind]}", style="dim")
            continue
        first = next(iter(report.of(kind)), None)
        which = f"{first.items[0][:12]}: " if first and first.items else ""
        table.add_row(kind, str(report.found[kind]), which + first.text if first else "")
    console.print(table)
