"""The winner as a checkpoint: its run, and a longer one where time is left and it pays."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from edgefactory.datasets import Progress, read_snapshot
from edgefactory.datasets.files import fresh_folder
from edgefactory.training.checkpoint import MODEL, Checkpoint, load_checkpoint
from edgefactory.training.examples import load_examples
from edgefactory.training.recipe import Recipe
from edgefactory.training.scoring import score
from edgefactory.training.trainer import train
from edgefactory.training.tuning.folder import Finished, Folder
from edgefactory.training.tuning.ladder import Climb
from edgefactory.training.tuning.search import CAUTION, LONGER, Search

CHECKPOINT: Final = "checkpoint"
_WORTH: Final = 1.25  # times the epochs; less is not worth another run


class _OutOfTimeError(Exception):
    """The time for a longer run is over."""


@dataclass(frozen=True)
class Places:
    """Where the pictures are, and the search's folder."""

    snapshot: Path
    folder: Folder


def finish(
    search: Search, winner: Climb, places: Places, show: Callable[[str], None]
) -> tuple[Checkpoint, Finished]:
    """The winner's checkpoint in the search's folder, and the run that it is of.

    Its own run is taken up where the search has left it. Where there is time for a run of up to
    LONGER times its epochs, that is tried, and kept if it is better on val.
    """
    earlier = [
        entry
        for entry in places.folder.entries()
        if isinstance(entry, Finished) and entry.number == winner.number
    ]
    kept = next((entry for entry in reversed(earlier) if entry.kept), None)
    recipe = search.recipe(winner.values)
    if kept is None or not _is_there(places, recipe, kept):
        _train(
            recipe,
            places,
            places.folder.out / CHECKPOINT,
            lambda *said: show(f"the winner, {said[2]}"),
        )
        kept = Finished(winner.number, recipe.epochs, winner.value or 0.0, kept=True)
        places.folder.learn(kept)
        earlier.append(kept)
    if all(entry.epochs <= recipe.epochs for entry in earlier):
        kept = _longer(search, winner, places, show) or kept
    return load_checkpoint(places.folder.out / CHECKPOINT), kept


def _longer(
    search: Search, winner: Climb, places: Places, show: Callable[[str], None]
) -> Finished | None:
    """The longer run, if there is time for it and it is better."""
    room, seconds = search.clock.left - search.closing, winner.epoch_seconds * CAUTION
    epochs = min(round(LONGER * search.epochs), int(room / seconds) if seconds else 0)
    if epochs < _WORTH * search.epochs:
        return None

    def watch(_done: int, _total: int, text: str) -> None:
        show(f"the winner for longer, {text}")
        if search.clock.left < search.closing:
            raise _OutOfTimeError

    recipe = msgspec.structs.replace(search.recipe(winner.values), epochs=epochs)
    out = places.folder.search / CHECKPOINT
    try:
        _train(recipe, places, out, watch)
    except _OutOfTimeError:
        return None
    value = judged(out, places.snapshot, search.metric)
    found = Finished(winner.number, epochs, value, kept=value > (winner.value or 0.0))
    if found.kept:
        with fresh_folder(places.folder.out / CHECKPOINT, MODEL) as folder:
            shutil.copytree(out, folder, dirs_exist_ok=True)
    places.folder.learn(found)
    shutil.rmtree(out)
    return found if found.kept else None


def judged(checkpoint: Path, snapshot: Path, metric: str) -> float:
    """A checkpoint's figure on the val split."""
    loaded = load_checkpoint(checkpoint)
    examples = load_examples(snapshot, read_snapshot(snapshot), "val", loaded.recipe)
    found = score(loaded.network(), examples, loaded.recipe.task, metric) if examples else None
    return found or 0.0


def _is_there(places: Places, recipe: Recipe, kept: Finished) -> bool:
    out = places.folder.out / CHECKPOINT
    wanted = msgspec.structs.replace(recipe, epochs=kept.epochs)
    return (out / MODEL).is_file() and load_checkpoint(out).recipe == wanted


def _train(recipe: Recipe, places: Places, out: Path, progress: Progress) -> None:
    train(recipe, places.snapshot, out, places.folder.runs, progress)
