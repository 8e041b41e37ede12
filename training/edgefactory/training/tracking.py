"""Runs are recorded in MLflow: parameters, the snapshot's digest, curves and the checkpoint."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when mlflow is imported

import msgspec
from lightning.pytorch.loggers import MLFlowLogger
from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from PIL.Image import Image

from edgefactory.training.recipe import Recipe

_SQLITE = "sqlite:///"
_DIGEST = 36  # characters that MLflow has room for


class Tracker:
    """One run in MLflow, or nothing at all when there is no place to record to."""

    def __init__(self, uri: str | None, experiment: str, run_id: str | None) -> None:
        """Open the run `run_id` again if the store knows it, else a new one."""
        self._logger: MLFlowLogger | None = None
        if uri is None:
            return
        for name in ("alembic", "mlflow"):  # each migration of a new database is one line
            logging.getLogger(name).setLevel(logging.WARNING)
        logging.getLogger("lightning.pytorch.loggers.mlflow").setLevel(logging.ERROR)
        self._logger = MLFlowLogger(
            experiment_name=experiment,
            tracking_uri=uri,
            artifact_location=_artifacts_beside(uri),
            run_id=run_id if run_id and _known(uri, run_id) else None,
        )

    @property
    def run_id(self) -> str | None:
        """MLflow's name of the run."""
        return self._logger.run_id if self._logger else None

    def describe(self, recipe: Recipe, snapshot: str, snapshot_sha256: str) -> None:
        """Record what the run depends on: the recipe, and the snapshot by name and digest."""
        if self._logger and self.run_id:
            facts = {**msgspec.to_builtins(recipe), "snapshot_sha256": snapshot_sha256}
            self._logger.log_hyperparams(facts)
            data = Dataset(snapshot, snapshot_sha256[:_DIGEST], "local", snapshot_sha256)
            tag = InputTag("mlflow.data.context", "training")
            self._logger.experiment.log_inputs(self.run_id, [DatasetInput(data, [tag])])

    def curve(self, values: Mapping[str, float], epoch: int) -> None:
        """Record a point of the curves."""
        if self._logger:
            self._logger.log_metrics(values, epoch)

    def picture(self, picture: Image, epoch: int) -> None:
        """Record a picture of predictions."""
        if self._logger and self.run_id:
            client = self._logger.experiment
            client.log_image(self.run_id, picture, key="predictions", step=epoch)

    def keep(self, checkpoint: Path) -> None:
        """Record the checkpoint's files."""
        if self._logger and self.run_id:
            self._logger.experiment.log_artifacts(self.run_id, str(checkpoint), "checkpoint")

    def __enter__(self) -> Tracker:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close the run: failed after an error or an interrupt, and then open to go on with."""
        if self._logger:
            self._logger.finalize("failed" if kind else "success")


def _known(uri: str, run_id: str) -> bool:
    try:
        MlflowClient(uri).get_run(run_id)
    except MlflowException:
        return False
    return True


def _artifacts_beside(uri: str) -> str | None:
    """Files go beside an embedded database, never into the working directory; a server decides."""
    if not uri.startswith(_SQLITE):
        return None
    return str(Path(uri.removeprefix(_SQLITE)).absolute().parent / "mlartifacts")
