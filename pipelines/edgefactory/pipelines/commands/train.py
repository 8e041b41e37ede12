"""Train the specialist on the snapshot: checkpoint/.

Reads the section `train` (the recipe). Runs are tracked by MLflow in the workspace, or where
MLFLOW_TRACKING_URI says.
"""

from argparse import ArgumentParser, Namespace

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

HELP = "train the specialist"
STAGE: str | None = "train"


def options(parser: ArgumentParser) -> None:
    """No options of its own."""


def run(args: Namespace, screen: Screen) -> Outcome:
    """snapshot/ -> checkpoint/."""
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
    lineage, metrics = checkpoint.lineage, checkpoint.metrics
    said = f"{lineage.parameters / 1e6:.2f} M parameters, {recipe.epochs} epochs"
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
