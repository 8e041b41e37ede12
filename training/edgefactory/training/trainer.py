"""Snapshot and recipe in, checkpoint out: trained with Lightning Fabric, recorded in MLflow.

A run depends on the snapshot, the recipe and this code alone: every epoch's order and every
step's changes to pictures are drawn from generators seeded by (seed, epoch). So a run that was
killed continues from its last whole epoch, kept in `scratch`, and ends where it would have ended.
"""

from __future__ import annotations

import importlib.metadata
import logging
import math
import pickle
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import torch
from lightning.fabric import Fabric
from torch import Tensor
from torch.optim.lr_scheduler import OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from edge_runtime.contract import digest, encode
from edgefactory.datasets import Progress, Snapshot, read_snapshot, snapshot_digest
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.files import fresh_folder, storage_errors
from edgefactory.training.augment import augmented
from edgefactory.training.checkpoint import (
    MODEL,
    Checkpoint,
    Epoch,
    Metrics,
    TrainingLineage,
    git_commit,
    load_checkpoint,
    write_checkpoint,
)
from edgefactory.training.data import Examples, batches_an_epoch, epoch_batches, load_examples
from edgefactory.training.evaluate import score
from edgefactory.training.loss import loss_of
from edgefactory.training.network import Classifier, Detector, Network, build
from edgefactory.training.paste import Scene, pasted, scene_of
from edgefactory.training.recipe import Recipe
from edgefactory.training.tracking import Tracker

_LARGEST_GRADIENT = 10.0  # norm above which a step is shortened
_STATE = "state.pt"


@dataclass
class _Run:
    """What a run changes as it goes; all of it is saved after each epoch."""

    network: Any  # the network as Fabric wraps it
    optimizer: Any
    averaged: AveragedModel
    schedule: OneCycleLR
    scene: Scene | None = None  # what `paste` draws from; made anew, not saved
    curve: list[Epoch] = field(default_factory=list)

    @property
    def kept(self) -> Network:
        """The averaged network, which is the one that is judged and kept."""
        module = self.averaged.module
        assert isinstance(module, Detector | Classifier)
        return module


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
    where the recipe names one. `tracking_uri` is an MLflow
    store such as sqlite:///FILE; None records nothing. A killed run with the same snapshot and
    recipe continues from `scratch`. `out` appears whole or not at all.

    Raises InputError for a snapshot that does not fit the recipe or a loss that is no longer a
    number, StorageError when the disk refuses.
    """
    snapshot = read_snapshot(snapshot_dir)
    sha256 = snapshot_digest(snapshot_dir)
    learned = load_examples(snapshot_dir, snapshot, "train", recipe)
    judged = load_examples(snapshot_dir, snapshot, "val", recipe)
    if learned is None:
        raise InputError(f"{snapshot_dir} has no pictures to train on; expected a train split")
    fabric = _fabric(recipe)
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    run = _begin(fabric, recipe, len(snapshot.classes), len(learned))
    run.scene = scene_of(learned) if recipe.augment.paste else None
    folder = scratch / _key(sha256, recipe)
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    earlier = _restore(run, folder / _STATE)
    with Tracker(tracking_uri, f"edgefactory-{snapshot.name}", earlier) as tracker:
        tracker.describe(recipe, sha256)
        for epoch in range(len(run.curve), recipe.epochs):
            point = _epoch(fabric, run, recipe, learned, epoch, progress)
            point = _judged(point, run, judged, recipe.detections)
            run.curve.append(point)
            tracker.curve(_values(point), epoch)
            _save(run, folder / _STATE, tracker.run_id)
        _write(out, run, recipe, snapshot, sha256, tracker.run_id)
        tracker.keep(out)
    shutil.rmtree(folder, ignore_errors=True)
    return load_checkpoint(out)


def _fabric(recipe: Recipe) -> Fabric:
    for name in ("lightning.fabric", "lightning.pytorch"):  # each says at INFO what was asked of it
        logging.getLogger(name).setLevel(logging.WARNING)
    precision = recipe.precision
    if precision == "auto":
        can = torch.cpu.get_capabilities()
        fast = torch.cuda.is_available() or can.get("amx_bf16") or can.get("avx512_bf16")
        precision = "bf16" if fast else "32"
    return Fabric(
        accelerator="auto",
        devices=1,
        precision="bf16-mixed" if precision == "bf16" else "32-true",
    )


def _begin(fabric: Fabric, recipe: Recipe, classes: int, pictures: int) -> _Run:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = build(recipe, classes).to(memory_format=torch.channels_last)
    matrices = [p for p in network.parameters() if p.ndim > 1]
    vectors = [p for p in network.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": recipe.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ],
        lr=recipe.learning_rate,
    )
    steps = recipe.epochs * batches_an_epoch(pictures, recipe.batch)
    schedule = OneCycleLR(
        optimizer,
        max_lr=recipe.learning_rate,
        total_steps=steps + 1,
        pct_start=recipe.warmup,
        cycle_momentum=False,
    )
    wrapped, stepper = fabric.setup(network, optimizer)
    decay = get_ema_multi_avg_fn(recipe.ema)  # type: ignore[no-untyped-call] # torch has no hint
    averaged = AveragedModel(network, multi_avg_fn=decay, use_buffers=True)
    return _Run(wrapped, stepper, averaged, schedule)


def _epoch(
    fabric: Fabric,
    run: _Run,
    recipe: Recipe,
    learned: Examples,
    epoch: int,
    progress: Progress | None,
) -> Epoch:
    start, total, steps = time.monotonic(), 0.0, batches_an_epoch(len(learned), recipe.batch)
    generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + epoch)
    run.network.train()
    for step, index in enumerate(epoch_batches(len(learned), recipe.batch, generator)):
        loss = _step(fabric, run, recipe, learned, index, generator)
        if not math.isfinite(loss):
            raise InputError(
                f"the loss is {loss} in epoch {epoch + 1}; lower learning_rate "
                f"(now {recipe.learning_rate})"
            )
        total += loss
        if progress:
            text = f"epoch {epoch + 1}/{recipe.epochs}, loss {loss:.3f}"
            progress(epoch * steps + step + 1, recipe.epochs * steps, text)
    return Epoch(
        epoch=epoch + 1,
        loss=total / steps,
        learning_rate=float(run.schedule.get_last_lr()[0]),
        seconds=time.monotonic() - start,
    )


def _step(
    fabric: Fabric,
    run: _Run,
    recipe: Recipe,
    learned: Examples,
    index: Tensor,
    generator: torch.Generator,
) -> float:
    if run.scene is None:
        pictures, wanted = learned.pictures[index], learned.targets.at(index)
    else:
        pictures, wanted = pasted(run.scene, index, recipe.augment.paste, generator)
    pixels, targets = augmented(pictures, wanted, recipe.augment, generator)
    pixels = pixels.to(fabric.device, memory_format=torch.channels_last)
    run.optimizer.zero_grad()
    loss = loss_of(run.network(pixels), targets.to(fabric.device))
    fabric.backward(loss)
    fabric.clip_gradients(
        run.network, run.optimizer, max_norm=_LARGEST_GRADIENT, error_if_nonfinite=False
    )
    run.optimizer.step()
    run.schedule.step()
    run.averaged.update_parameters(run.network.module)
    return float(loss.detach())


def _judged(point: Epoch, run: _Run, judged: Examples | None, detections: int) -> Epoch:
    if judged is None:
        return point
    return msgspec.structs.replace(point, val=score(run.kept, judged, detections))


def _values(point: Epoch) -> dict[str, float]:
    values = {"loss": point.loss, "learning_rate": point.learning_rate}
    return values if point.val is None else {**values, "val": point.val}


def _key(snapshot_sha256: str, recipe: Recipe) -> str:
    """The folder of a run in scratch: equal for equal snapshot and recipe."""
    return digest(snapshot_sha256.encode() + encode(recipe))[:32]


def _save(run: _Run, path: Path, mlflow_run: str | None) -> None:
    state = {
        "network": run.network.module.state_dict(),
        "averaged": run.averaged.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "schedule": run.schedule.state_dict(),
        "curve": msgspec.to_builtins(run.curve),
        "mlflow_run": mlflow_run,
    }
    with storage_errors(path):
        beside = path.with_suffix(".partial")
        torch.save(state, beside)
        beside.replace(path)


def _restore(run: _Run, path: Path) -> str | None:
    """Continue from `path` if a whole state is there; gives the MLflow run it belongs to."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError):
        return None  # nothing was kept, or a power cut left half of it: start anew
    run.network.module.load_state_dict(state["network"])
    run.averaged.load_state_dict(state["averaged"])
    run.optimizer.load_state_dict(state["optimizer"])
    run.schedule.load_state_dict(state["schedule"])
    run.curve = msgspec.convert(state["curve"], list[Epoch])
    earlier: str | None = state["mlflow_run"]
    return earlier


def _write(
    out: Path, run: _Run, recipe: Recipe, snapshot: Snapshot, sha256: str, mlflow_run: str | None
) -> None:
    network = run.kept
    metrics = Metrics(
        schema="metrics/1",
        metric="ap50" if recipe.task == "detection" else "accuracy",
        epochs=tuple(run.curve),
        final=run.curve[-1].val,
        seconds=sum(point.seconds for point in run.curve),
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
        mlflow_run=mlflow_run,
    )
    with fresh_folder(out, MODEL) as folder:
        write_checkpoint(folder, network.state_dict(), metrics, lineage)


def _teacher(snapshot: Snapshot) -> str | None:
    """The digest of the model that labelled the train split, if one did."""
    origins = {
        label.origin.removeprefix("teacher:")
        for item in snapshot.split("train")
        for label in item.labels
        if label.origin.startswith("teacher:")
    }
    return min(origins, default=None)
