"""Where a run's state lies while it is under way, so that whoever has killed it can go on."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, Final

import torch

from edge_runtime.contract import digest, encode
from edgefactory.datasets.files import storage_errors
from edgefactory.training.changes import Changes
from edgefactory.training.recipe import Recipe
from edgefactory.training.run import Run

_STATE: Final = "state.pt"


def run_folder(
    scratch: Path, snapshot_sha256: str, recipe: Recipe, changes: Changes | None = None
) -> Path:
    """The folder in `scratch` of the one run that snapshot, recipe and changes describe."""
    changed = encode(changes) if changes else b""
    return scratch / digest(snapshot_sha256.encode() + encode(recipe) + changed)[:32]


def keep(run: Run, folder: Path, mlflow_run: str | None) -> None:
    """Write the run's state into `folder`. Raises StorageError when the disk refuses."""
    path = folder / _STATE
    with storage_errors(path):
        beside = path.with_suffix(".partial")
        torch.save({**run.state(), "mlflow_run": mlflow_run}, beside)
        beside.replace(path)


def is_kept(folder: Path) -> bool:
    """Whether `folder` keeps a state."""
    return (folder / _STATE).is_file()


def take_up(run: Run, folder: Path) -> str | None:
    """Continue from what `folder` keeps, if it is whole; gives the MLflow run it belongs to."""
    try:
        state: dict[str, Any] = torch.load(folder / _STATE, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError):
        return None  # nothing was kept, or a power cut left half of it: start anew
    run.restore(state)
    earlier: str | None = state["mlflow_run"]
    return earlier
