"""Cut the footage into the pictures that later stages look at: footage/.

Reads the section `ingest`. The first part of the clip may be learned from, then comes a gap,
then the part that is held out.
"""

from argparse import ArgumentParser, Namespace

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

HELP = "cut the footage into pictures"
STAGE: str | None = "ingest"


def options(parser: ArgumentParser) -> None:
    """No options of its own."""


def run(args: Namespace, screen: Screen) -> Outcome:
    """input/ -> footage/."""
    from edgefactory.datasets import IngestSettings, ingest
    from edgefactory.pipelines.inputs import source_file
    from edgefactory.pipelines.params import read_params, settings
    from edgefactory.pipelines.workspace import Workspace

    workspace = Workspace(args.workspace)
    clip, truth = source_file(workspace.clip), source_file(workspace.truth)
    given = {"source": "digits" if clip is None else "video", "video": clip, "truth": truth}
    section = read_params(workspace.params)["ingest"]
    wanted = settings(section, IngestSettings, "params.yaml: ingest", given)
    footage = ingest(wanted, workspace / "footage", screen.progress)
    learn = sum(picture.part == "train" for picture in footage.pictures)
    held_out = len(footage.pictures) - learn
    return Outcome(
        f"{len(footage.pictures)} pictures of {footage.frames}: {learn} to learn from, "
        f"{held_out} held out",
        {"frames": footage.frames, "train": learn, "held_out": held_out},
    )
