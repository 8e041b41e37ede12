"""Let the teacher label the pictures; labels that the source brings are imported: labels/.

Reads the section `label`. An interrupted run goes on where it stopped.
"""

from argparse import ArgumentParser, Namespace

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

HELP = "label the pictures by the teacher"
STAGE: str | None = "label"


def options(parser: ArgumentParser) -> None:
    """No options of its own."""


def run(args: Namespace, screen: Screen) -> Outcome:
    """footage/ and input/teacher -> labels/."""
    from edgefactory.datasets import LabelSettings, label
    from edgefactory.pipelines.inputs import source_file
    from edgefactory.pipelines.params import read_params, settings
    from edgefactory.pipelines.workspace import Workspace

    workspace = Workspace(args.workspace)
    section = read_params(workspace.params)["label"]
    given = {"teacher": source_file(workspace.teacher)}
    wanted = settings(section, LabelSettings, "params.yaml: label", given)
    labels = label(
        wanted,
        workspace.require("footage", "edgefactory data ingest"),
        workspace / "labels",
        workspace.scratch("label"),
        screen.progress,
    )
    every = [entry for frame in labels.frames for entry in frame.labels]
    accepted = sum(entry.state == "accepted" for entry in every)
    queued = sum(entry.state == "queued" for entry in every)
    return Outcome(
        f"{accepted} labels accepted on {len(labels.frames)} pictures, "
        f"{queued} for a person to see",
        {"pictures": len(labels.frames), "accepted": accepted, "queued": queued},
    )
