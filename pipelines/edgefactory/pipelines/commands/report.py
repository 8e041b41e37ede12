"""Show what the line came to: report.html and summary.json, from the stages' outputs alone."""

from argparse import ArgumentParser, Namespace

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

HELP = "write report.html and summary.json"
STAGE: str | None = "report"


def options(parser: ArgumentParser) -> None:
    """No options of its own."""


def run(args: Namespace, screen: Screen) -> Outcome:
    """Everything -> report.html and summary.json."""
    from edgefactory.pipelines.workspace import Workspace

    workspace = Workspace(args.workspace)
    screen.progress(0, 0, "plots and pictures")
    from edgefactory.pipelines.report import build_report

    page, summary = workspace / "report.html", workspace / "summary.json"
    build_report(workspace.root, page, summary)
    return Outcome(
        f"{page.name} and {summary.name}", {"report": str(page), "summary": str(summary)}
    )
