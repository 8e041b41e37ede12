"""Say how far the people are in Label Studio: progress, agreement, and the time that is left."""

from argparse import ArgumentParser, Namespace

from edgefactory.pipelines.labelling import (
    add_server_options,
    agreement_lines,
    connected,
    require_project,
)
from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen, duration

HELP = "progress and agreement of the people"
STAGE: str | None = None


def options(parser: ArgumentParser) -> None:
    """The server and the project."""
    add_server_options(parser)


def run(args: Namespace, screen: Screen) -> Outcome:
    """SNAP and the answers -> where they stand."""
    from dataclasses import asdict
    from pathlib import Path

    from edgefactory.datasets.manifest import read_manifest
    from edgefactory.datasets.studio import project_title, status

    snapshot = read_manifest(Path(args.snapshot))
    title = project_title(snapshot, args.project)
    with connected(args) as (studio, _):
        found = status(studio, require_project(studio, title), snapshot, screen.progress)
    for person in found.people:
        speed = "" if person.seconds is None else f", {duration(person.seconds)} each"
        screen.note(f"{person.who}: {person.answers} answers, {person.skipped} skipped{speed}")
    for line in agreement_lines(found.agreement):
        screen.note(line)
    left = "not known yet" if found.seconds_left is None else duration(found.seconds_left)
    return Outcome(
        f"{found.answered} of {found.tasks} pictures answered, {found.conflicts} in conflict, "
        f"{found.unpushed} not pushed yet; time left for one person: {left}",
        asdict(found) | {"project": title},
    )
