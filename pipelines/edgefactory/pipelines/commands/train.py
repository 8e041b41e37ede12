"""Train a model on a snapshot, by a recipe: a checkpoint with its curves and lineage.

`train SNAP --out DIR` takes folders of your own. Without --recipe the snapshot decides: a detector
for boxes, a classifier for classes, a network over time for sequences (`edgefactory recipe` lists
all that ship). Where a recipe names no resolution, it follows from the pictures. A run that was
killed goes on when the same command is given again; what it had done lies in .DIR.training beside
DIR until then.

Without SNAP it is the stage of a line: snapshot/ becomes checkpoint/ in the workspace, by the
section `train` of its params.yaml.

MLflow records each run, where --tracking or MLFLOW_TRACKING_URI says; else in mlflow.db beside DIR,
and in a workspace in .edgefactory/mlflow.db.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.recipes import chosen_recipe, recipe_options
from edgefactory.pipelines.screen import Screen

if TYPE_CHECKING:
    from edgefactory.training import Checkpoint

HELP = "train a model on a snapshot"
STAGE: str | None = "train"


def options(parser: ArgumentParser) -> None:
    """The snapshot and the recipe, where they are not a workspace's."""
    parser.add_argument(
        "snapshot", metavar="SNAP", nargs="?", help="the folder of a snapshot (default: the stage)"
    )
    parser.add_argument("--out", metavar="DIR", help="the checkpoint's folder")
    recipe_options(parser)
    parser.add_argument(
        "--tracking", metavar="URI", help="an MLflow store, as sqlite:///FILE; none records nothing"
    )


def run(args: Namespace, screen: Screen) -> Outcome:
    """A snapshot -> a checkpoint."""
    _check(args)
    return _stage(args, screen) if args.snapshot is None else _named(args, screen)


def _check(args: Namespace) -> None:
    from edgefactory.datasets.errors import InputError

    if args.snapshot is not None and args.out is None:
        raise InputError("train SNAP needs --out DIR, the folder of the checkpoint")
    if args.snapshot is None and (args.out or args.recipe or args.set or args.tracking):
        raise InputError(
            "--out, --recipe, --set and --tracking go with SNAP, the folder of a snapshot; a "
            "workspace has its params.yaml"
        )


def _stage(args: Namespace, screen: Screen) -> Outcome:
    from edgefactory.pipelines.params import read_params
    from edgefactory.pipelines.tracking import tracking_uri
    from edgefactory.pipelines.workspace import Workspace

    workspace = Workspace(args.workspace)
    section = read_params(workspace.params)["train"]
    snapshot = workspace.require("snapshot", "edgefactory data snapshot")
    screen.progress(0, 0, "starting up")
    from edgefactory.training import recipe_from, train

    recipe = recipe_from(section, "params.yaml: train")
    checkpoint = train(
        recipe,
        snapshot,
        workspace / "checkpoint",
        workspace.scratch("train"),
        screen.progress,
        tracking_uri(workspace),
    )
    return _outcome(checkpoint)


def _named(args: Namespace, screen: Screen) -> Outcome:
    import shutil

    from edgefactory.datasets import read_snapshot
    from edgefactory.datasets.files import require_replaceable
    from edgefactory.pipelines.tracking import tracking_beside

    out = Path(args.out).resolve()
    require_replaceable(out, "model.safetensors")
    recipe = chosen_recipe(args, read_snapshot(Path(args.snapshot)))
    scratch, tracking = out.with_name(f".{out.name}.training"), tracking_beside(out, args.tracking)
    screen.progress(0, 0, "starting up")
    from edgefactory.training import train

    checkpoint = train(recipe, Path(args.snapshot), out, scratch, screen.progress, tracking)
    shutil.rmtree(scratch, ignore_errors=True)
    _tell(checkpoint, args.out, tracking, screen)
    return _outcome(checkpoint)


def _tell(checkpoint: "Checkpoint", out: str, tracking: str | None, screen: Screen) -> None:
    """The log on plain screens, which had no bar to watch; then where to look further."""
    from edgefactory.training.trainer import LOG, PREVIEW

    if not screen.live:
        for line in (checkpoint.folder / LOG).read_text(encoding="utf-8").splitlines():
            screen.note(f"       {line}")
    screen.note(f"       log      {Path(out, LOG)}")
    screen.note(f"       picture  {Path(out, PREVIEW)}")
    if checkpoint.lineage.mlflow_run:
        screen.note(f"       MLflow   run {checkpoint.lineage.mlflow_run} in {tracking}")


def _outcome(checkpoint: "Checkpoint") -> Outcome:
    lineage, metrics = checkpoint.lineage, checkpoint.metrics
    said = f"{lineage.parameters / 1e6:.2f} M parameters, {len(metrics.epochs)} epochs"
    if metrics.final is not None:
        said += f", {metrics.metric} {metrics.final:.3f} on the val split"
    return Outcome(
        said,
        {
            "sha256": checkpoint.sha256,
            "parameters": lineage.parameters,
            "metric": metrics.metric,
            "val": metrics.final,
            "mlflow_run": lineage.mlflow_run,
        },
    )
