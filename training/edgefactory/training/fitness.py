"""Whether a snapshot can teach what a recipe wants; said before any work is done."""

from __future__ import annotations

from pathlib import Path

from edgefactory.datasets import Item, Snapshot
from edgefactory.datasets.errors import InputError
from edgefactory.training.examples import teaches
from edgefactory.training.recipe import Recipe

_FEWEST = 2  # pictures: of one nothing can be learned that holds for another


def check_fitness(folder: Path, snapshot: Snapshot, recipe: Recipe) -> None:
    """Raise InputError, in one line that says what to do, where nothing good can come out."""
    wanted = "detection" if recipe.task == "detection" else "classification"
    if snapshot.task != wanted:
        raise InputError(
            f"{folder} is a snapshot for {snapshot.task}, the recipe's task is {recipe.task}, "
            f"which needs one for {wanted}; change the recipe's task or take other labels"
        )
    if recipe.task == "temporal":
        _check_sequences(folder, snapshot, recipe)
    items = snapshot.split("train")
    if not items:
        raise InputError(
            f"{folder} has no pictures to train on; split it by `edgefactory data split`"
        )
    if len(items) < _FEWEST:
        raise InputError(
            f"{folder} has 1 picture to train on; expected {_FEWEST} or more, and some hundreds "
            "for a good model"
        )
    if recipe.devices > len(items):
        raise InputError(
            f"devices is {recipe.devices}, there are {len(items)} pictures to train on; lower it"
        )
    if recipe.task != "detection" and len(snapshot.classes) < 2:
        raise InputError(
            f"{folder} knows one class, {snapshot.classes[0]!r}; a {recipe.task} needs two or more"
        )
    _check_classes(folder, snapshot, items)


def _check_sequences(folder: Path, snapshot: Snapshot, recipe: Recipe) -> None:
    """A network over time takes each row for a feature and each column for a step."""
    signal = snapshot.signal
    if signal is None:
        raise InputError(
            f"{folder} holds pictures, no sequences; make one by `edgefactory data import "
            "sequences`, or take the task classification"
        )
    if recipe.resolution != (signal.steps, signal.rows):
        width, height = recipe.resolution
        raise InputError(
            f"resolution is {width}x{height}, the sequences of {folder} have {signal.steps} steps "
            f"of {signal.rows} features; set resolution: [{signal.steps}, {signal.rows}]"
        )


def _check_classes(folder: Path, snapshot: Snapshot, items: tuple[Item, ...]) -> None:
    taught = {label.class_ for item in items for label in item.labels if teaches(label)}
    if not taught:
        raise InputError(
            f"{folder}: no label in the train split teaches anything (all is background, queued or "
            "ignored); label it by `edgefactory label auto` or `label push`"
        )
    empty = [name for name in snapshot.classes if name not in taught]
    if empty:
        others = f" (and {len(empty) - 1} others)" if len(empty) > 1 else ""
        raise InputError(
            f"{folder}: the class {empty[0]!r}{others} has no label in the train split; label "
            f"some, or drop it: edgefactory data remap {folder} --map '{empty[0]}=' --out NEW"
        )
