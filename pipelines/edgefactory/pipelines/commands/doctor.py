"""Say what is installed, what hardware is here, which engines work, and what is missing.

Each engine really runs a small graph. Exit code 3 when something is missing that the line
cannot do without.
"""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from edgefactory.pipelines.failures import MISSING
from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

if TYPE_CHECKING:
    from edgefactory.pipelines.doctor import Finding

HELP = "what is installed, what works, what is missing"
STAGE: str | None = None

PLAIN_WIDTH = 120  # columns where there is no terminal to ask
MARKS = {"ok": "[green]ok[/]", "optional": "[yellow]none[/]", "missing": "[bold red]missing[/]"}


def options(parser: ArgumentParser) -> None:
    """No options of its own."""


def run(args: Namespace, screen: Screen) -> Outcome:
    """Ask everything; the table goes to stdout."""
    screen.progress(0, 0, "looking around")
    import msgspec

    from edgefactory.pipelines.doctor import examine

    findings = examine(screen.progress)
    screen.clear()
    if not args.json:
        _print(findings)
    missing = [finding.name for finding in findings if finding.state == "missing"]
    said = f"missing: {', '.join(missing)}" if missing else "everything that the line needs is here"
    figures = {"missing": missing, "findings": msgspec.to_builtins(findings)}
    return Outcome(said, figures, MISSING if missing else 0)


def _print(findings: "tuple[Finding, ...]") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("", "what", "", "found", "how to get it"):
        table.add_column(title, overflow="fold")
    group = ""
    for finding in findings:
        table.add_row(
            finding.group if finding.group != group else "",
            finding.name,
            MARKS[finding.state],
            escape(finding.found),
            escape(finding.remedy),
        )
        group = finding.group
    console = Console()
    console = console if console.is_terminal else Console(width=PLAIN_WIDTH)
    console.print(table)
