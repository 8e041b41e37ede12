"""A candidate trained from the rung where it waits to the next one."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch

from edge_runtime.contract import digest, encode
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.files import storage_errors
from edgefactory.training.checkpoint import input_spec
from edgefactory.training.devices import fabric_for, quiet_lightning
from edgefactory.training.keeping import is_kept, keep, run_folder, take_up
from edgefactory.training.memory import memory_errors
from edgefactory.training.recipe import Recipe
from edgefactory.training.run import Data, Run, begin
from edgefactory.training.scoring import score
from edgefactory.training.trainer import load_data
from edgefactory.training.tuning.ladder import Climb, State
from edgefactory.training.tuning.space import Values

_KEEP_SECONDS: Final = 5.0  # from one epoch that is kept on disk to the next
_MOST_BYTES: Final = 2 << 30  # of pictures that stay in memory for later candidates

Pulse = Callable[[str], None]
"""Told after every step how far the training is."""


@dataclass(frozen=True)
class Job:
    """Train candidate `number`, whose recipe is `recipe`, until its epoch `until` is done.

    `metric` is what its worth on the val split is measured by; `seconds` are the most it may take.
    """

    number: int
    values: Values
    recipe: Recipe
    until: int
    metric: str
    seconds: float


@dataclass(frozen=True)
class Ground:
    """What all candidates of a search share: the snapshot, and where runs under way are kept."""

    snapshot: Path
    snapshot_sha256: str
    scratch: Path


@dataclass(frozen=True)
class _Came:
    """How far a job came; see `Climb`."""

    state: State
    epochs: int = 0
    value: float | None = None
    epoch_seconds: float = 0.0
    why: str = ""


class _OutOfTimeError(Exception):
    """The job's seconds are over."""


class Trainee:
    """Does one job after the other; keeps pictures in memory between them."""

    def __init__(self, ground: Ground, pulse: Pulse | None = None) -> None:
        self._ground, self._pulse = ground, pulse
        self._data: OrderedDict[str, Data] = OrderedDict()
        quiet_lightning()

    def __call__(self, job: Job) -> Climb:
        """How far the candidate came; what goes wrong with its recipe is in the result.

        Raises MissingError for weights or a library that are not to be had, StorageError when the
        disk refuses.
        """
        began = time.monotonic()
        try:
            with memory_errors(job.recipe):
                came = self._train(job, began)
        except (InputError, RuntimeError, MemoryError) as error:
            # torch says RuntimeError of whatever a recipe asks of it in vain.
            came = _Came("failed", why=" ".join(str(error).split()) or type(error).__name__)
        return Climb(
            number=job.number,
            values=job.values,
            state=came.state,
            epochs=came.epochs,
            value=came.value,
            seconds=time.monotonic() - began,
            epoch_seconds=came.epoch_seconds,
            why=came.why,
        )

    def _train(self, job: Job, began: float) -> _Came:
        recipe = job.recipe
        folder = run_folder(self._ground.scratch, self._ground.snapshot_sha256, recipe)
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        torch.set_num_threads(recipe.threads or _ALL_THREADS)

        def after_step(done: int, total: int, text: str) -> None:
            if time.monotonic() - began > job.seconds:
                raise _OutOfTimeError
            if self._pulse:
                self._pulse(f"{text}, step {done} of {total}")

        data = self._load(recipe)
        fabric = fabric_for(recipe, "auto", 1)
        fabric.launch()
        begun = begin(recipe, data.classes)
        with torch.random.fork_rng(), Run(recipe, data, fabric, begun) as run:
            take_up(run, folder)
            earlier = len(run.done.curve)
            start = kept = time.monotonic()
            try:
                while not run.ended and len(run.done.curve) < job.until:
                    run.epoch(after_step)
                    if time.monotonic() - kept > _KEEP_SECONDS:
                        keep(run, folder, None)
                        kept = time.monotonic()
            except _OutOfTimeError:
                return _reached(run, folder, job)
            keep(run, folder, None)
            done = len(run.done.curve)
            return _Came(
                state="complete" if run.ended else "waiting",
                epochs=done,
                value=_value(run, job),
                epoch_seconds=(time.monotonic() - start) / max(1, done - earlier),
            )

    def _load(self, recipe: Recipe) -> Data:
        """What the recipe learns from; the last used ones are still in memory."""
        key = digest(encode((input_spec(recipe), recipe.distil)))[:32]
        data = self._data.pop(key, None)
        if data is None:
            folder = self._ground.scratch / f"pictures-{key}"
            with storage_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)
            data = load_data(recipe, self._ground.snapshot, folder, None)
        self._data[key] = data
        while len(self._data) > 1 and sum(map(_bytes, self._data.values())) > _MOST_BYTES:
            self._data.popitem(last=False)
        return data


def _reached(run: Run, folder: Path, job: Job) -> _Came:
    """What a run that the clock has cut is worth as it was kept last; nothing, if it never was."""
    if not is_kept(folder):
        return _Came("cut")
    take_up(run, folder)
    run.stop()
    return _Came("cut", len(run.done.curve), _value(run, job))


def _value(run: Run, job: Job) -> float:
    """The job's metric on val."""
    assert run.data.judged is not None
    value = score(run.kept, run.data.judged, job.recipe.task, job.metric)
    if value is None:
        raise InputError("the val split has nothing to judge by")
    return value


def _bytes(data: Data) -> int:
    parts = (data.learned, data.judged, data.unlabelled)
    return sum(part.pictures.nbytes for part in parts if part is not None)


_ALL_THREADS: Final = torch.get_num_threads()
