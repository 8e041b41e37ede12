"""Compress and convert the checkpoint for each engine: variants/.

Reads the section `compress`. A variant that cannot be made here is left out, with its reason.
"""

from argparse import ArgumentParser, Namespace
from textwrap import shorten

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen, size

HELP = "compress and convert for each engine"
STAGE: str | None = "compress"

REASON_WIDTH = 110  # characters on the screen; variants.json has all of it


def options(parser: ArgumentParser) -> None:
    """No options of its own."""


def run(args: Namespace, screen: Screen) -> Outcome:
    """checkpoint/ and snapshot/ -> variants/."""
    from edgefactory.pipelines.params import read_params, settings
    from edgefactory.pipelines.workspace import Workspace

    workspace = Workspace(args.workspace)
    section = read_params(workspace.params)["compress"]
    checkpoint = workspace.require("checkpoint", "edgefactory train")
    snapshot = workspace.require("snapshot", "edgefactory data snapshot")
    screen.progress(0, 0, "starting up")
    from edgefactory.compress import CompressSettings
    from edgefactory.compress import compress as make

    wanted = settings(section, CompressSettings, "params.yaml: compress")
    made = make(wanted, checkpoint, snapshot, workspace / "variants", screen.progress)
    for skipped in made.skipped:
        screen.note(f"       skipped {skipped.name}: {shorten(skipped.reason, REASON_WIDTH)}")
    sizes = {
        variant.name: sum(file.bytes for file in variant.files.values())
        for variant in made.variants
    }
    smallest = min(sizes.values(), default=0)
    return Outcome(
        f"{len(sizes)} variants, the smallest {size(smallest)}",
        {"bytes": sizes, "skipped": {skipped.name: skipped.reason for skipped in made.skipped}},
    )
