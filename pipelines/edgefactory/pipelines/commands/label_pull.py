"""Bring back what people answered in Label Studio as a new snapshot.

Only what changed since the last pull is fetched. A picture about which people differ keeps the
labels that it had; it is listed, and settled by a star on one answer, or by deleting the other.
"""

from argparse import ArgumentParser, Namespace

from edgefactory.pipelines.labelling import (
    add_server_options,
    agreement_lines,
    connected,
    require_project,
)
from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

HELP = "bring people's answers back as a new snapshot"
STAGE: str | None = None

LISTED = 10  # conflicts on the screen; --json has all of them


def options(parser: ArgumentParser) -> None:
    """The server, and where the new snapshot goes."""
    add_server_options(parser)
    parser.add_argument("--out", metavar="DIR", required=True, help="the new snapshot's folder")


def run(args: Namespace, screen: Screen) -> Outcome:
    """SNAP and the answers -> another snapshot."""
    from dataclasses import asdict
    from pathlib import Path

    from edgefactory.datasets.manifest import read_manifest
    from edgefactory.datasets.studio import project_title, pull

    folder, out = Path(args.snapshot), Path(args.out)
    title = project_title(read_manifest(folder), args.project)
    with connected(args) as (studio, _):
        project = require_project(studio, title)
        pulled = pull(studio, project, folder, out, screen.progress)
    for conflict in pulled.conflicts[:LISTED]:
        people = " and ".join(conflict.people)
        screen.note(f"{conflict.item[:12]}: {people} differ (F {conflict.f:.2f})")
    if len(pulled.conflicts) > LISTED:
        screen.note(f"... and {len(pulled.conflicts) - LISTED} more in conflict")
    for line in agreement_lines(pulled.agreement):
        screen.note(line)
    return Outcome(
        f"{pulled.reviewed} pictures reviewed ({pulled.new} new, {pulled.edited} edited, "
        f"{pulled.deleted} taken back), {len(pulled.conflicts)} in conflict; the new snapshot is "
        f"{pulled.digest[:12]} in {out}",
        asdict(pulled) | {"out": str(out)},
    )
