"""Where experiments are tracked."""

import os
from pathlib import Path

from edgefactory.pipelines.workspace import Workspace

NOWHERE = "none"


def tracking_uri(workspace: Workspace) -> str:
    """`MLFLOW_TRACKING_URI` where it is set, else a SQLite file of the workspace's own."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{workspace.state / 'mlflow.db'}"


def tracking_beside(out: Path, given: str | None) -> str | None:
    """What is `given`, else `MLFLOW_TRACKING_URI`, else `mlflow.db` beside `out`.

    Runs whose results lie side by side are so compared in one place. NOWHERE gives None.
    """
    if given == NOWHERE:
        return None
    beside = f"sqlite:///{out.parent / 'mlflow.db'}"
    return given or os.environ.get("MLFLOW_TRACKING_URI") or beside
