"""Bring the line's sources into the workspace: the clip, the teacher, the human truth.

Reads the section `source`; what is cached or given as a file needs no network.
"""

from argparse import ArgumentParser, Namespace

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen, size

HELP = "bring clip, teacher and truth into the workspace"
STAGE: str | None = "fetch"


def options(parser: ArgumentParser) -> None:
    """No options of its own."""


def run(args: Namespace, screen: Screen) -> Outcome:
    """Fill input/clip, input/teacher and input/truth."""
    from edgefactory.pipelines.inputs import SourceSettings, bring
    from edgefactory.pipelines.params import read_params, settings
    from edgefactory.pipelines.workspace import Workspace

    workspace = Workspace(args.workspace)
    wanted = settings(
        read_params(workspace.params)["source"], SourceSettings, "params.yaml: source"
    )
    sources = bring(wanted, workspace, screen.progress)
    figures: dict[str, object] = {
        source.what: {"file": source.file, "sha256": source.sha256} for source in sources
    }
    if wanted.kind == "digits":
        return Outcome("scikit-learn's handwritten digits; labels imported, no teacher", figures)
    clip, _, truth = sources
    held = (workspace.clip / str(clip.file)).stat().st_size
    proof = "with human truth" if truth.file else "no human truth: proof is against the teacher"
    return Outcome(f"{clip.file}, {size(held)}; {proof}", figures)
