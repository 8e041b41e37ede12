"""Where experiments are tracked."""

import os

from edgefactory.pipelines.workspace import Workspace


def tracking_uri(workspace: Workspace) -> str:
    """`MLFLOW_TRACKING_URI` where it is set, else a SQLite file of the workspace's own."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{workspace.state / 'mlflow.db'}"
