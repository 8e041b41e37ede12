"""Where the weights come from: the checkpoint's `lineage.json` in the contract's form."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct

from edge_runtime.contract import Lineage, Signal
from edge_runtime.contract.release import Sha256
from edgefactory.datasets.documents import Snapshot, read_document
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.files import file_sha256

TEACHER_ORIGIN = "teacher:"

Scalar = str | int | float | bool | None


class CheckpointLineage(Struct, frozen=True, forbid_unknown_fields=True):
    """`lineage.json` as training writes it; the recipe is shown, never interpreted.

    `weights_sha256` is the file of weights that training began with; `signal` is the release's own;
    `changes` is what was done to the network afterwards, shown as the recipe is.
    """

    schema: Literal["lineage/1"]
    git_commit: str | None
    snapshot_sha256: Sha256
    teacher_sha256: Sha256 | None
    classes: tuple[str, ...]
    seed: int
    recipe: dict[str, object]
    parameters: int
    versions: dict[str, str]
    mlflow_run: str | None = None
    weights_sha256: Sha256 | None = None
    signal: Signal | None = None
    changes: dict[str, object] | None = None


def read_lineage(checkpoint: Path, snapshot: Snapshot) -> Lineage:
    """The lineage of the checkpoint folder; its weights are hashed here, not believed.

    The teacher is the one that the snapshot's labels name. Raises MissingError, and InputError
    when lineage.json is not valid or names another teacher.
    """
    found = read_document(checkpoint / "lineage.json", CheckpointLineage)
    return Lineage(
        snapshot_sha256=found.snapshot_sha256,
        checkpoint_sha256=file_sha256(checkpoint / "model.safetensors", "checkpoint"),
        seed=found.seed,
        git_commit=found.git_commit,
        teacher_sha256=_teacher(found.teacher_sha256, snapshot),
        mlflow_run=found.mlflow_run,
        recipe=dict(_flat({**found.recipe, **_afterwards(found)})),
    )


def read_versions(checkpoint: Path) -> dict[str, str]:
    """The packages that trained the checkpoint, by version. Raises MissingError, InputError."""
    return read_document(checkpoint / "lineage.json", CheckpointLineage).versions


def _afterwards(found: CheckpointLineage) -> dict[str, object]:
    """What stands beside the recipe: where it began, and how the network was changed then."""
    changes = {k: v for k, v in (found.changes or {}).items() if k != "ranges"}
    return {"weights_sha256": found.weights_sha256} | ({"changes": changes} if changes else {})


def _teacher(stated: str | None, snapshot: Snapshot) -> str | None:
    origins = {
        label.origin.removeprefix(TEACHER_ORIGIN)
        for item in snapshot.items
        for label in item.labels
        if label.origin.startswith(TEACHER_ORIGIN)
    }
    if stated is not None and stated not in origins:
        raise InputError(
            f"lineage.json names teacher {stated[:12]}…, but no label of the snapshot is its own"
        )
    if len(origins) > 1 and stated is None:
        raise InputError(f"{len(origins)} teachers labelled the snapshot; lineage.json names none")
    return stated or next(iter(origins), None)


def _flat(recipe: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, Scalar]]:
    """The recipe's values by dotted key; a list becomes its items, joined by commas."""
    for key, value in sorted(recipe.items()):
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            yield f"{prefix}{key}", ", ".join(str(item) for item in value)
        elif value is None or isinstance(value, str | int | float | bool):
            yield f"{prefix}{key}", value
        else:
            raise InputError(f"lineage.json: recipe key {prefix}{key} holds {type(value).__name__}")
