"""Snapshot and recipe in, checkpoint out: trained with Lightning Fabric, recorded in MLflow."""

from __future__ import annotations

import importlib.metadata
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import torch
from lightning.fabric import Fabric

from edgefactory.datasets import Progress, Snapshot, read_snapshot, snapshot_digest
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.files import fresh_folder, storage_errors, write_file
from edgefactory.training.changes import Changes
from edgefactory.training.checkpoint import (
    METRICS_OF,
    MODEL,
    Checkpoint,
    Epoch,
    Metrics,
    TrainingLineage,
    git_commit,
    load_checkpoint,
    write_checkpoint,
)
from edgefactory.training.devices import share_out
from edgefactory.training.distilling import with_soft_answers
from edgefactory.training.examples import load_examples, load_unlabelled
from edgefactory.training.fitness import check_fitness
from edgefactory.training.keeping import keep, run_folder, take_up
from edgefactory.training.memory import memory_errors
from edgefactory.training.networks import Network
from edgefactory.training.previews import preview
from edgefactory.training.recipe import Recipe
from edgefactory.training.run import Begun, Data, Run, begin
from edgefactory.training.tracking import Tracker

LOG: Final = "log.txt"
PREVIEW: Final = "predictions.png"

_KEEP_SECONDS: Final = 60.0  # at most so much work is lost when a run is killed in a long epoch
_PREVIEWS: Final = 5  # pictures of predictions that a run leaves in MLflow


Beginning = Callable[[Recipe, tuple[str, ...]], Begun]
"""The network to begin with, for a recipe and classes; picklable where a recipe has `devices`."""


def as_it_is(network: Network) -> Network:
    """Most runs keep the network that learned."""
    return network


@dataclass(frozen=True)
class Plan:
    """A run: how it begins, how it goes on, and what of its network is kept at the end.

    `changes` are said in the checkpoint's lineage. A `stopped` one does not go on: its checkpoint
    is what an earlier call has reached.
    """

    recipe: Recipe
    beginning: Beginning = begin
    ending: Callable[[Network], Network] = as_it_is
    changes: Changes | None = None
    stopped: bool = False


@dataclass(frozen=True)
class Places:
    """Where a run reads and writes. `tracking` is an MLflow store, as sqlite:///FILE, or None."""

    snapshot: Path
    out: Path
    scratch: Path
    tracking: str | None


def train(
    recipe: Recipe,
    snapshot_dir: Path,
    out: Path,
    scratch: Path,
    progress: Progress | None = None,
    tracking_uri: str | None = None,
) -> Checkpoint:
    """Train on the snapshot's train split and write the checkpoint folder `out`.

    `progress` is called after every step with (done, total, text). Sets torch's number of threads
    where the recipe names one. `tracking_uri` is an MLflow store such as sqlite:///FILE; None
    records nothing. A killed run with the same snapshot and recipe continues from `scratch`. `out`
    appears whole or not at all.

    Raises InputError for a snapshot that does not fit the recipe, a loss that is no longer a
    number or too little memory, MissingError for weights or a library that are not to be had,
    StorageError when the disk refuses.
    """
    return carry_out(Plan(recipe), Places(snapshot_dir, out, scratch, tracking_uri), progress)


def carry_out(plan: Plan, places: Places, progress: Progress | None) -> Checkpoint:
    """Do the run; else as `train`."""
    check_fitness(places.snapshot, read_snapshot(places.snapshot), plan.recipe)
    share_out(plan.recipe, partial(_train, plan, places), progress)
    return load_checkpoint(places.out)


def load_data(
    recipe: Recipe, folder: Path, scratch: Path | None, progress: Progress | None
) -> Data:
    """What the recipe learns from in the snapshot `folder`; `scratch` as `load_examples`.

    Raises InputError when the recipe's other snapshot has no pictures, or its teacher does not
    know the classes.
    """
    snapshot = read_snapshot(folder)
    learned = load_examples(folder, snapshot, "train", recipe, scratch, progress)
    if learned is None:
        raise InputError(f"{folder} has no pictures to train on; expected a train split")
    if recipe.distil.teacher is not None:
        learned = with_soft_answers(learned, (folder, snapshot), recipe, scratch, progress)
    return Data(
        classes=snapshot.classes,
        learned=learned,
        judged=load_examples(folder, snapshot, "val", recipe, scratch, progress),
        unlabelled=load_unlabelled(recipe, scratch, progress),
    )


def _train(plan: Plan, places: Places, fabric: Fabric, progress: Progress | None) -> None:
    """What each process of a run does; the first one keeps files and records."""
    recipe = plan.recipe
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    snapshot, sha256 = read_snapshot(places.snapshot), snapshot_digest(places.snapshot)
    folder = run_folder(places.scratch, sha256, recipe, plan.changes)
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    first = fabric.is_global_zero
    with memory_errors(recipe), torch.random.fork_rng():
        begun = plan.beginning(recipe, snapshot.classes)
        data = load_data(recipe, places.snapshot, folder, progress) if first else None
        fabric.barrier()  # what the first has laid into the scratch folder, the others find
        data = data or load_data(recipe, places.snapshot, folder, None)
        with Run(recipe, data, fabric, begun) as run:
            earlier = take_up(run, folder)
            if plan.stopped:
                run.stop()
            tracking = places.tracking if first else None
            with Tracker(tracking, f"edgefactory-{snapshot.name}", earlier) as tracker:
                tracker.describe(recipe, snapshot.name, sha256)
                _go_on(run, folder, tracker, progress)
                if first:
                    kept = Kept(plan.ending(run.kept), plan.changes, tracker.run_id)
                    _write(places.out, run, snapshot, sha256, kept)
                    tracker.keep(places.out)
    fabric.barrier()
    if first:
        shutil.rmtree(folder, ignore_errors=True)


def _go_on(run: Run, folder: Path, tracker: Tracker, progress: Progress | None) -> None:
    """Epoch after epoch; what has been done is kept at least every _KEEP_SECONDS."""
    kept = time.monotonic()

    def after_step(done: int, total: int, text: str) -> None:
        nonlocal kept
        if run.fabric.is_global_zero and time.monotonic() - kept > _KEEP_SECONDS:
            keep(run, folder, tracker.run_id)
            kept = time.monotonic()
        if progress:
            progress(done, total, text)

    every = max(1, run.recipe.epochs // _PREVIEWS)
    while not run.ended:
        point = run.epoch(after_step)
        if not run.fabric.is_global_zero:
            continue
        tracker.curve(_values(point), point.epoch - 1)
        if tracker.run_id and (point.epoch % every == 0 or run.ended):
            picture = preview(run.kept, run.data, run.recipe)
            tracker.picture(picture, point.epoch - 1)
        keep(run, folder, tracker.run_id)
        kept = time.monotonic()


def _values(point: Epoch) -> dict[str, float]:
    values = {"loss": point.loss, "learning_rate": point.learning_rate}
    for name in ("val", "data"):
        value = getattr(point, name)
        if value is not None:
            values[name] = value
    return values


@dataclass(frozen=True)
class Kept:
    """The network that a run leaves, and what its lineage says beside the run."""

    network: Network
    changes: Changes | None
    mlflow_run: str | None


def _write(out: Path, run: Run, snapshot: Snapshot, sha256: str, kept: Kept) -> None:
    network, recipe, curve = kept.network, run.recipe, run.done.curve
    metrics = Metrics(
        schema="metrics/1",
        metric=METRICS_OF[recipe.task],
        epochs=tuple(curve),
        final=curve[run.done.best - 1].val,
        seconds=sum(point.seconds for point in curve),
    )
    lineage = TrainingLineage(
        schema="lineage/1",
        git_commit=git_commit(Path.cwd()),
        snapshot_sha256=sha256,
        teacher_sha256=_teacher(snapshot),
        classes=snapshot.classes,
        seed=recipe.seed,
        recipe=recipe,
        parameters=sum(p.numel() for p in network.parameters()),
        versions={name: importlib.metadata.version(name) for name in ("lightning", "torch")},
        mlflow_run=kept.mlflow_run,
        weights_sha256=run.start.sha256 if run.start else None,
        signal=snapshot.signal,
        changes=kept.changes,
    )
    with fresh_folder(out, MODEL) as folder:
        write_checkpoint(folder, network.state_dict(), metrics, lineage)
        write_file(folder / LOG, log_of(metrics, run.start.said if run.start else None).encode())
        preview(network, run.data, recipe).save(folder / PREVIEW)


def log_of(metrics: Metrics, start: str | None) -> str:
    """The curves in lines for people: an epoch a line."""
    lines = [start] if start else []
    for point in metrics.epochs:
        val = "" if point.val is None else f"  {metrics.metric} {point.val:.4f}"
        data = "" if point.data is None else f"  waited for data {point.data:.0%}"
        lines.append(
            f"epoch {point.epoch:3d}  loss {point.loss:.4f}{val}  learning rate "
            f"{point.learning_rate:.2e}  {point.seconds:.1f} s{data}"
        )
    final = "" if metrics.final is None else f"; kept {metrics.metric} {metrics.final:.4f}"
    lines.append(f"{len(metrics.epochs)} epochs in {metrics.seconds:.0f} s{final}")
    return "\n".join(lines) + "\n"


def _teacher(snapshot: Snapshot) -> str | None:
    """The digest of the model that labelled the train split, if one did."""
    origins = {
        label.origin.removeprefix("teacher:")
        for item in snapshot.split("train")
        for label in item.labels
        if label.origin.startswith("teacher:")
    }
    return min(origins, default=None)
