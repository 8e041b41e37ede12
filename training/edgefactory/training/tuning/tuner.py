"""Name a budget, get the best model that fits it: the whole way, in a time that is promised."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from edgefactory.datasets import Progress, Snapshot, read_snapshot, snapshot_digest
from edgefactory.datasets.errors import InputError
from edgefactory.training.checkpoint import Checkpoint
from edgefactory.training.examples import teaches
from edgefactory.training.fitness import check_fitness
from edgefactory.training.sampling import batches_an_epoch
from edgefactory.training.scoring import METRICS
from edgefactory.training.tuning.budgets import Budget
from edgefactory.training.tuning.clock import Clock
from edgefactory.training.tuning.executors import Executor, Work, local
from edgefactory.training.tuning.feasibility import Feasibility, Measure, Priced, nothing_fits
from edgefactory.training.tuning.finishing import Places, finish
from edgefactory.training.tuning.folder import About, Finished, Folder, Paced, opened
from edgefactory.training.tuning.ladder import Begun, Climb, best_of, latest, lost
from edgefactory.training.tuning.pace import whole_run
from edgefactory.training.tuning.search import FIRST, Search
from edgefactory.training.tuning.space import Space, Values
from edgefactory.training.tuning.trial import Ground, Job, Trainee

_SHORT: Final = 0.03  # of that time: an epoch so short is mostly the process's warming up
_WARM: Final = 4  # epochs; those after the first say how long one takes


@dataclass(frozen=True)
class Tuning:
    """What is asked for.

    `metric` is one of the task's `METRICS`, None its own; `seconds` is the time promised, of which
    the caller needs `closing` after `tune`; `began` is when it began, by `time.monotonic`.
    `measure` prices architectures on the box `measured_at`. `epochs_fixed`: every run has the
    epochs of the start, or fewer where time does not suffice.
    """

    snapshot: Path
    out: Path
    budgets: tuple[Budget, ...]
    metric: str | None
    space: Space
    seconds: float
    closing: float
    measure: Measure
    measured_at: str
    seed: int = 0
    trials: int = 10_000
    epochs_fixed: bool = False
    execute: Executor = local
    began: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Tuned:
    """What was found: every candidate and every architecture, and the winner as a checkpoint."""

    search: Search
    winner: Climb
    finished: Finished
    checkpoint: Checkpoint


def tune(asked: Tuning, progress: Progress) -> Tuned:
    """Search, and train the winner; `progress` is told (seconds used, seconds promised, what).

    A call with the same snapshot, budgets, space and seed goes on where an earlier one was ended,
    or has more time now. Raises InputError when the snapshot cannot be learned or judged by, when
    nothing in the space keeps the budgets, or nothing could be trained.
    """
    snapshot = read_snapshot(asked.snapshot)
    _check(asked, snapshot)
    sha256 = snapshot_digest(asked.snapshot)
    with opened(asked.out, _about(asked, sha256)) as folder:
        clock = Clock(folder.clock, asked.seconds, asked.began, time.monotonic)
        search = _begun(asked, snapshot, folder, clock)
        show = _Show(search, progress)
        show("looking for what keeps the budgets")
        first = search.first()
        if first is None:
            raise nothing_fits(search.feasible)
        make = partial(Trainee, Ground(asked.snapshot, sha256, folder.runs))
        here = partial(make, show)
        _set_pace(search, first, folder, here)
        search.run(asked.execute, here if asked.execute is local else make)
        winner = _winner(search)
        longer = make(lambda said: show(f"the winner for longer, {said}"))
        places = Places(asked.snapshot, folder)
        checkpoint, finished = finish(search, winner, places, longer, show)
        clock.stop()
        return Tuned(search, winner, finished, checkpoint)


class _Show:
    """Tells how far it is, and lets the clock write down how late."""

    def __init__(self, search: Search, progress: Progress) -> None:
        self._search, self._progress = search, progress

    def __call__(self, text: str) -> None:
        clock = self._search.clock
        clock.beat()
        best = best_of(self._search.climbs) or best_of(self._search.climbs, "waiting")
        said = f"best {best[0].value:.3f}, {text}" if best else text
        self._progress(round(clock.used), round(clock.limit), said)


def _metric(asked: Tuning) -> str:
    return asked.metric or METRICS[asked.space.start.task][0]


def _check(asked: Tuning, snapshot: Snapshot) -> None:
    start = asked.space.start
    check_fitness(asked.snapshot, snapshot, start)
    if _metric(asked) not in METRICS[start.task]:
        raise InputError(
            f"--maximize {asked.metric!r} is no figure of {start.task}; expected "
            f"{' or '.join(METRICS[start.task])}"
        )
    if not any(teaches(label) for item in snapshot.split("val") for label in item.labels):
        raise InputError(
            f"{asked.snapshot} has no labels in its val split, by which candidates are compared; "
            "split it by `edgefactory data split`"
        )


def _about(asked: Tuning, snapshot_sha256: str) -> About:
    return About(
        schema="tune-search/1",
        snapshot_sha256=snapshot_sha256,
        budgets=asked.budgets,
        metric=_metric(asked),
        start=asked.space.start,
        space=dict(asked.space.dimensions),
        seed=asked.seed,
        measured_at=asked.measured_at,
    )


def _begun(asked: Tuning, snapshot: Snapshot, folder: Folder, clock: Clock) -> Search:
    """The search as earlier calls have left it."""
    start, entries = asked.space.start, folder.entries()
    paced = next((entry for entry in entries if isinstance(entry, Paced)), None)
    feasible = Feasibility(asked.budgets, asked.measure, folder.learn, clock.now)
    feasible.know(entry for entry in entries if isinstance(entry, Priced))
    search = Search(
        space=asked.space,
        metric=_metric(asked),
        seed=asked.seed,
        trials=asked.trials,
        epochs=paced.epochs if paced else start.epochs,
        epochs_fixed=asked.epochs_fixed,
        steps=batches_an_epoch(len(snapshot.split("train")), start.batch),
        closing=asked.closing,
        feasible=feasible,
        clock=clock,
        climbs=[entry for entry in entries if isinstance(entry, Climb)],
        pace=paced.epoch_seconds if paced else None,
        learned=folder.learn,
    )
    for climb in lost(entries):
        search.take(climb)
    return search


def _set_pace(search: Search, first: Values, folder: Folder, make: Callable[[], Work]) -> None:
    """Let the first candidate's first epochs tell how many a whole run can have."""
    if search.pace is not None:
        return
    job = Job(FIRST, first, search.recipe(first), 1, search.metric, search.left)
    search.learned(Begun(FIRST, first))
    work = make()
    climb = work(job)
    if climb.state == "cut":
        raise _too_short(search)
    if climb.state == "waiting" and climb.epoch_seconds < _SHORT * search.left:
        warm = min(_WARM, job.recipe.epochs)
        again = work(replace(job, until=warm, seconds=search.left))
        climb = climb if again.state == "cut" else again
    search.pace = climb.epoch_seconds
    if search.pace:
        search.epochs = whole_run(
            search.left, search.pace, search.epochs, fixed=search.epochs_fixed
        )
    folder.learn(Paced(search.epochs, search.pace))
    if climb.state == "failed" or search.epochs == job.recipe.epochs:
        search.take(climb)


def _winner(search: Search) -> Climb:
    complete = best_of(search.climbs)
    if complete:
        return complete[0]
    failed = [climb for climb in search.climbs if climb.state == "failed"]
    if failed and len(failed) == len(latest(search.climbs)):
        raise InputError(
            f"none of {len(failed)} candidates could be trained; the first one: {failed[0].why}"
        )
    raise _too_short(search)


def _too_short(search: Search) -> InputError:
    return InputError(
        f"no candidate was trained to its end within {search.clock.limit:.0f} s, of which "
        f"{search.feasible.seconds:.0f} s went into measuring; give --time more"
    )
