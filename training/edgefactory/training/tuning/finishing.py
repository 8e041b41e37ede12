"""The winner as a checkpoint: its run, and a longer one where time is left and it pays."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec

from edgefactory.datasets import Progress, read_snapshot
from edgefactory.training.checkpoint import MODEL, Checkpoint, load_checkpoint
from edgefactory.training.examples import teaches
from edgefactory.training.recipe import Recipe
from edgefactory.training.trainer import Places as TrainingPlaces
from edgefactory.training.trainer import Plan, carry_out
from edgefactory.training.tuning.executors import Work
from edgefactory.training.tuning.folder import Finished, Folder
from edgefactory.training.tuning.ladder import Climb
from edgefactory.training.tuning.search import Search
from edgefactory.training.tuning.trial import Job

CHECKPOINT: Final = "checkpoint"
_WORTH: Final = 1.25  # times the epochs; less is not worth another run
_TESTED: Final = 8  # a longer run shows its pace in one of so many parts
_BEGINNINGS: Final = 2  # of a longer run
_CAUTION: Final = 1.1  # before its pace is known
_SLIGHT_CAUTION: Final = 1.05  # and then


@dataclass(frozen=True)
class Places:
    """Where the pictures are, and the search's folder."""

    snapshot: Path
    folder: Folder


def finish(
    search: Search, winner: Climb, places: Places, work: Work, show: Callable[[str], None]
) -> tuple[Checkpoint, Finished]:
    """The winner's checkpoint in the search's folder, and the run that it is of.

    Its own run lies where the search has left it. Where there is time for a run over more epochs,
    `work` trains that, and it is kept unless it is plainly worse on val; if the time is over before
    its end, what it has reached is kept where that is better.
    """
    earlier = [
        entry
        for entry in places.folder.entries()
        if isinstance(entry, Finished) and entry.number == winner.number
    ]
    recipe = search.recipe(winner.values)
    kept = next((entry for entry in reversed(earlier) if entry.kept), None)
    there = kept is not None and _is_there(places, recipe, kept)
    if kept is None or not there:
        kept = Finished(winner.number, recipe.epochs, winner.value or 0.0, kept=True)
    longer = None
    if all(entry.epochs <= recipe.epochs or entry.cut_after for entry in earlier):
        longer = _longer(search, winner, kept, places, work)
    if longer is None and not there:
        _train(Plan(recipe), places, lambda *said: show(f"the winner, {said[2]}"))
        places.folder.learn(kept)
    return load_checkpoint(places.folder.out / CHECKPOINT), longer or kept


def _longer(
    search: Search, winner: Climb, before: Finished, places: Places, work: Work
) -> Finished | None:
    """The longer run, if there is time for it and it is to be kept rather than `before`.

    The winner's value is the luckiest of many, the longer run's a single one: so more training
    is believed in unless it is plainly worse. One that was cut, before its learning rate had come
    down, has to be better.
    """
    found = longer_run(search, winner, work)
    if found is None:
        return None
    epochs, last = found
    if last.value is None:
        return None
    cut = last.state == "cut"
    kept = last.value > before.value - (0.0 if cut else _noise(before.value, places.snapshot))
    if kept:  # it has run, and is only to be written down
        recipe = msgspec.structs.replace(search.recipe(winner.values), epochs=epochs)
        _train(Plan(recipe, stopped=cut), places, lambda *_said: None)
    finished = Finished(winner.number, epochs, last.value, kept, last.epochs if cut else 0)
    places.folder.learn(finished)
    return finished if kept else None


def _noise(value: float, snapshot: Path) -> float:
    """The standard error of a share on the val split."""
    items = read_snapshot(snapshot).split("val")
    judged = sum(teaches(label) for item in items for label in item.labels)
    return math.sqrt(value * (1 - value) / max(1, judged))


def longer_run(search: Search, winner: Climb, work: Work) -> tuple[int, Climb] | None:
    """The winner's recipe over as many more epochs as there is time for; None where it has none.

    Its first epochs tell how long the others will take: where that is too long, it begins again
    with fewer, rather than to be cut short of its end. Gives the epochs that it was to have, and
    how far it came: a machine that slows down later still cuts it.
    """
    seconds = winner.epoch_seconds * _CAUTION
    room = search.clock.left - search.closing
    begun: tuple[Job, Climb] | None = None
    for _ in range(_BEGINNINGS):
        epochs = min(search.most_epochs, int(room / seconds) if seconds else 0)
        if epochs < _WORTH * search.epochs:
            break
        recipe = msgspec.structs.replace(search.recipe(winner.values), epochs=epochs)
        job = Job(winner.number, winner.values, recipe, epochs, search.metric, room)
        first = work(replace(job, until=-(-epochs // _TESTED)))
        begun = job, first
        room = search.clock.left - search.closing
        seconds = first.epoch_seconds * _SLIGHT_CAUTION
        if first.state != "waiting" or (epochs - first.epochs) * seconds <= room:
            break
    if begun is None:
        return None
    job, last = begun
    if last.state == "waiting":
        last = work(replace(job, seconds=room))
    return job.recipe.epochs, last


def _is_there(places: Places, recipe: Recipe, kept: Finished) -> bool:
    out = places.folder.out / CHECKPOINT
    wanted = msgspec.structs.replace(recipe, epochs=kept.epochs)
    return (out / MODEL).is_file() and load_checkpoint(out).recipe == wanted


def _train(plan: Plan, places: Places, progress: Progress) -> None:
    """The plan's run, as the checkpoint of the search's folder."""
    out = places.folder.out / CHECKPOINT
    carry_out(plan, TrainingPlaces(places.snapshot, out, places.folder.runs, None), progress)
