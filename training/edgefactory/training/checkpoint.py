"""What training leaves behind: weights, recipe, curves and lineage, in one folder."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar

import msgspec
import safetensors
import safetensors.torch
from torch import Tensor

from edge_runtime import contract
from edge_runtime.contract import InputSpec, OutputSpec, Signal, encode, file_digest, read
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.errors import MissingError as ContractMissingError
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.training.changes import Changes
from edgefactory.training.networks import Graph, Network, build, change, folded
from edgefactory.training.recipe import Recipe, Task

MODEL, RECIPE, METRICS, LINEAGE = (
    "model.safetensors",
    "recipe.json",
    "metrics.json",
    "lineage.json",
)


Metric = Literal["ap50", "accuracy", "recall_at_1"]
METRICS_OF: Final[Mapping[Task, Metric]] = {
    "detection": "ap50",
    "classification": "accuracy",
    "embedding": "recall_at_1",
    "temporal": "accuracy",
}
_OUTPUTS: Final[Mapping[Task, tuple[str, ...]]] = {
    "detection": ("boxes", "scores", "labels"),
    "classification": ("probabilities",),
    "embedding": ("embedding",),
    "temporal": ("probabilities",),
}


class Epoch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One point of the training curves. `val` is the metric on the val split, if there is one.

    `data` is the share of the seconds in which the network waited for pictures.
    """

    epoch: int
    loss: float
    learning_rate: float
    seconds: float
    val: float | None = None
    data: float | None = None


class Metrics(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`metrics.json`: `metric` says what `val` and `final` are; both judge the val split.

    `final` is of the epoch that was kept.
    """

    schema: Literal["metrics/1"]
    metric: Metric
    epochs: tuple[Epoch, ...]
    final: float | None
    seconds: float


class TrainingLineage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`lineage.json`: where the weights come from.

    `weights_sha256` is the file they began with; `signal` how sequences became pictures; `changes`
    what the recipe does not say of the network.
    """

    schema: Literal["lineage/1"]
    git_commit: str | None
    snapshot_sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    teacher_sha256: str | None
    classes: tuple[str, ...]
    seed: int
    recipe: Recipe
    parameters: int
    versions: dict[str, str]
    mlflow_run: str | None = None
    weights_sha256: str | None = None
    signal: Signal | None = None
    changes: Changes | None = None


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint folder, parsed. `sha256` is that of its weights' file."""

    folder: Path
    sha256: str
    recipe: Recipe
    metrics: Metrics
    lineage: TrainingLineage

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, in the order of class numbers."""
        return self.lineage.classes

    @property
    def task(self) -> contract.Task:
        """What the graph decides, as the contract has it: a temporal one classifies."""
        return "classification" if self.recipe.task == "temporal" else self.recipe.task

    @property
    def input(self) -> InputSpec:
        """What a picture, or a sequence, must go through before the graph."""
        signal = self.lineage.signal or msgspec.UNSET
        return msgspec.structs.replace(input_spec(self.recipe), signal=signal)

    @property
    def output(self) -> OutputSpec:
        """The graph's outputs."""
        return OutputSpec(_OUTPUTS[self.recipe.task])

    @property
    def ranges(self) -> Mapping[str, float]:
        """The INT8 ranges of the layers' inputs that it was trained for, by layer; often none."""
        return self.lineage.changes.ranges if self.lineage.changes else {}

    def network(self) -> Network:
        """The network with its weights, in evaluation mode. Raises InputError if they misfit."""
        network = build(self.recipe, len(self.classes))
        path = self.folder / MODEL
        try:
            weights = safetensors.torch.load_file(path)
            if self.lineage.changes is not None:
                change(network, self.lineage.changes, weights)
            network.load_state_dict(weights)
        except (RuntimeError, OSError, safetensors.SafetensorError) as error:
            reason = " ".join(str(error).split())[:160]
            raise InputError(
                f"{path} does not fit the recipe beside it ({reason}); expected the files of one "
                "training by this version: train again"
            ) from error
        return network.eval()

    def graph(self) -> Graph:
        """The network by the graph contract, what can be folded folded; errors as `network`."""
        return Graph(folded(self.network())).eval()


def input_spec(recipe: Recipe) -> InputSpec:
    """The recipe's resolution and resizing, as the contract says it."""
    width, height = recipe.resolution
    return InputSpec(width=width, height=height, fit=recipe.fit, resize=recipe.resize)


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read a checkpoint's documents. Raises MissingError or InputError."""
    if not (folder / MODEL).is_file():
        raise MissingError(f"{folder} holds no {MODEL}; train first (edgefactory train)")
    return Checkpoint(
        folder,
        file_digest(folder / MODEL),
        _read(folder / RECIPE, Recipe),
        _read(folder / METRICS, Metrics),
        _read(folder / LINEAGE, TrainingLineage),
    )


def write_checkpoint(
    folder: Path, weights: dict[str, Tensor], metrics: Metrics, lineage: TrainingLineage
) -> None:
    """Fill an existing empty folder."""
    kept = {name: value.detach().cpu().contiguous() for name, value in sorted(weights.items())}
    # Not save_file, which makes a file that none but its owner can read.
    (folder / MODEL).write_bytes(safetensors.torch.save(kept))
    (folder / RECIPE).write_bytes(encode(lineage.recipe))
    (folder / METRICS).write_bytes(encode(metrics))
    (folder / LINEAGE).write_bytes(encode(lineage))


def git_commit(folder: Path) -> str | None:
    """The commit that `folder`'s repository is at, or None outside of one or without git."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"],  # noqa: S607 - git is found on PATH
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


T = TypeVar("T")


def _read(path: Path, kind: type[T]) -> T:
    try:
        return read(path, kind)
    except ContractMissingError as error:
        raise MissingError(str(error)) from error
    except EdgeRuntimeError as error:
        raise InputError(str(error)) from error
