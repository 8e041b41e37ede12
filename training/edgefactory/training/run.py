"""A training run in memory: its network, what it has done, and how it goes on.

A run depends on the snapshot, the recipe and this code alone: every epoch's order and every
picture's changes are drawn from generators seeded by (seed, epoch, picture), and what networks
draw themselves (dropout) by (seed, epoch, step). So a run that was killed continues from any step
that was kept and ends where it would have ended.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from types import TracebackType
from typing import Any, Final, Self

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from lightning.fabric import Fabric
from torch import Tensor
from torch.optim.lr_scheduler import OneCycleLR

from edgefactory.datasets.errors import InputError
from edgefactory.datasets.workers import cores
from edgefactory.training.averaging import Average
from edgefactory.training.checkpoint import Epoch
from edgefactory.training.devices import in_bf16
from edgefactory.training.examples import Examples
from edgefactory.training.feeding import Batch, Feeder
from edgefactory.training.networks import Network, build
from edgefactory.training.recipe import SPECIALIST, Recipe
from edgefactory.training.sampling import batches_an_epoch, epoch_batches, epoch_order, worth_of
from edgefactory.training.scoring import score
from edgefactory.training.weights import Start, started

_LARGEST_GRADIENT: Final = 10.0  # norm above which a step is shortened
_RAMP: Final = 0.2  # share of the steps in which consistency rises to its weight
_MOST_THREADS: Final = 8  # that prepare pictures
_UNLABELLED: Final = 7919  # added to the seed, for the order of the unlabelled pictures

Ints = npt.NDArray[np.int64]
AfterStep = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Data:
    """What a run learns from, is judged by, and sees without labels."""

    classes: tuple[str, ...]
    learned: Examples
    judged: Examples | None
    unlabelled: Examples | None = None


@dataclass(frozen=True)
class Begun:
    """A network that has learned nothing here, and what it starts from, if from anything.

    It follows the answers of `teacher` to each batch with the share `follow` of its loss.
    """

    network: Network
    start: Start | None
    teacher: Network | None = None
    follow: float = 0.0


def begin(recipe: Recipe, classes: tuple[str, ...]) -> Begun:
    """Raises InputError or MissingError for a model or weights that cannot be had."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = build(recipe, len(classes))
    return Begun(network, started(network, recipe, classes))


@dataclass
class Progressed:
    """How far a run is. `step` and `loss` (a sum) are of the epoch under way."""

    curve: list[Epoch] = field(default_factory=list)
    step: int = 0
    loss: float = 0.0
    best: int = 0  # the number of the epoch that is kept, from 1; 0 while there is none


class Run:
    """A run under way; a context manager, for the threads that feed it."""

    def __init__(self, recipe: Recipe, data: Data, fabric: Fabric, begun: Begun) -> None:
        self.recipe, self.data, self.fabric = recipe, data, fabric
        self.done, self.start = Progressed(), begun.start
        network = begun.network.to(memory_format=torch.channels_last)
        self._kind = torch.bfloat16 if in_bf16(recipe) else torch.float32
        self._per_epoch = batches_an_epoch(len(data.learned), recipe.batch)
        optimizer, self._schedule = _optimizer(network, recipe, self.steps)
        self._network, self._optimizer = fabric.setup(network, optimizer)
        self._averaged = Average(self._network.module, recipe.ema)
        self._worth = worth_of(data.learned.targets, len(data.classes), recipe.balance)
        self._teacher, self._follow = begun.teacher, begun.follow
        if self._teacher is not None:
            fabric.to_device(self._teacher.to(memory_format=torch.channels_last)).eval()
        self._best: Mapping[str, Tensor] | None = None
        self._ahead: Iterator[tuple[Batch, Batch | None]] | None = None
        self._open = ExitStack()
        self._stopped = False

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.recipe.epochs * self._per_epoch

    @property
    def ended(self) -> bool:
        """Whether all epochs are done, `patience` brought nothing better, or it was stopped."""
        epochs = len(self.done.curve)
        waited = self.recipe.patience and epochs - self.done.best >= self.recipe.patience
        return self._stopped or epochs >= self.recipe.epochs or bool(waited)

    def stop(self) -> None:
        """What it has reached is its end; at least one epoch must be done."""
        self._stopped = True

    @property
    def kept(self) -> Network:
        """The averaged network; at the end of a run with patience, that of the best epoch."""
        if self._best is None or not self.ended:
            return self._averaged.module
        module = copy.deepcopy(self._averaged.module)
        module.load_state_dict(self._best)
        return module

    def __enter__(self) -> Self:
        self._feeder = self._open.enter_context(self._feed(self.data.learned))
        if self.data.unlabelled is not None:
            unlabelled = self._feed(self.data.unlabelled, keep_unlit=True)
            self._other = self._open.enter_context(unlabelled)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _where: TracebackType | None,
    ) -> None:
        self._open.close()

    def epoch(self, after_step: AfterStep) -> Epoch:
        """Train the next epoch, or the rest of one, and judge it.

        `after_step` is called with (steps done, steps of the run, text). Raises InputError when
        the loss, or what the network then answers, is no number.
        """
        number = len(self.done.curve)
        began, waited = time.monotonic(), 0.0
        self._network.train()
        if self._ahead is None:
            self._ahead = self._batches()
        while self.done.step < self._per_epoch:
            at = time.monotonic()
            batch = next(self._ahead)
            waited += time.monotonic() - at
            self._learn(batch, number)
            done = number * self._per_epoch + self.done.step
            mean = self.done.loss / self.done.step
            after_step(
                done, self.steps, f"epoch {number + 1}/{self.recipe.epochs}, loss {mean:.3f}"
            )
        seconds = time.monotonic() - began
        point = Epoch(
            epoch=number + 1,
            loss=self.done.loss / self._per_epoch,
            learning_rate=float(self._schedule.get_last_lr()[0]),
            seconds=seconds,
            val=self._judged(),
            data=waited / seconds,
        )
        self.done.step, self.done.loss = 0, 0.0
        self.done.curve.append(point)
        self._keep_best(point)
        return point

    def state(self) -> dict[str, Any]:
        """All that `restore` needs, in types that torch loads without trusting the file."""
        return {
            "network": self._network.module.state_dict(),
            "averaged": self._averaged.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "best": dict(self._best) if self._best is not None else None,
            "curve": msgspec.to_builtins(self.done.curve),
            "step": self.done.step,
            "loss": self.done.loss,
            "best_epoch": self.done.best,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`."""
        self._network.module.load_state_dict(state["network"])
        self._averaged.load_state_dict(state["averaged"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        self._best = state["best"]
        self.done = Progressed(
            msgspec.convert(state["curve"], list[Epoch]),
            state["step"],
            state["loss"],
            state["best_epoch"],
        )
        self._ahead = None

    def _feed(self, examples: Examples, *, keep_unlit: bool = False) -> Feeder:
        ours = max(1, cores() // self.fabric.world_size)
        threads = self.recipe.threads or min(_MOST_THREADS, ours)
        network = self._network.module
        return Feeder(
            examples,
            self.recipe,
            threads=threads,
            paint_ignored=not network.ignores,
            keep_unlit=keep_unlit,
        )

    def _batches(self) -> Iterator[tuple[Batch, Batch | None]]:
        """The batches that are left of the run."""
        batches = self._feeder.batches(self._parts())
        if self.data.unlabelled is None:
            return ((batch, None) for batch in batches)
        return zip(batches, self._other.batches(self._other_parts()), strict=True)

    def _parts(self) -> Iterator[tuple[int, Ints]]:
        """This process's share of each batch that is left, with its epoch."""
        rank, world = self.fabric.global_rank, self.fabric.world_size
        for epoch, first in self._left():
            order = epoch_order(self._worth, self.recipe.seed, epoch)
            for part in islice(epoch_batches(order, self.recipe.batch), first, None):
                yield epoch, part[rank::world]

    def _other_parts(self) -> Iterator[tuple[int, Ints]]:
        """The same of the unlabelled pictures."""
        assert self.data.unlabelled is not None
        rank, world = self.fabric.global_rank, self.fabric.world_size
        count, shape = len(self.data.unlabelled), (self._per_epoch, self.recipe.batch)
        for epoch, first in self._left():
            chance = np.random.default_rng((self.recipe.seed + _UNLABELLED, epoch))
            for part in chance.integers(0, count, shape)[first:]:
                yield epoch, part[rank::world]

    def _left(self) -> Iterator[tuple[int, int]]:
        """The epochs that are left, and each one's first step that is."""
        first = self.done.step
        for epoch in range(len(self.done.curve), self.recipe.epochs):
            yield epoch, first
            first = 0

    def _learn(self, batches: tuple[Batch, Batch | None], epoch: int) -> None:
        """One step."""
        if self.recipe.model != SPECIALIST:  # ours draw nothing by themselves
            torch.manual_seed(_mixed(self.recipe.seed, epoch, self.done.step))
        loss = self._loss(*batches)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise InputError(
                f"the loss is {value} in epoch {epoch + 1}; lower learning_rate "
                f"(now {self.recipe.learning_rate})"
            )
        self._optimizer.zero_grad()
        self.fabric.backward(loss)
        self.fabric.clip_gradients(
            self._network, self._optimizer, max_norm=_LARGEST_GRADIENT, error_if_nonfinite=False
        )
        self._optimizer.step()
        self._schedule.step()
        self._averaged.follow()
        self.done.step += 1
        self.done.loss += value

    def _loss(self, batch: Batch, other: Batch | None) -> Tensor:
        device, noise = self.fabric.device, self.recipe.augment.noise
        network: Network = self._network.module
        pixels = batch.pixels(device, self._kind, noise)
        targets = batch.targets.to(device)
        if self._teacher is not None:
            raw = self._network(pixels)
            with torch.no_grad(), self.fabric.autocast():
                told = self._teacher(pixels)
            own = (1 - self._follow) * network.loss(raw, targets)
            return own + self._follow * network.agreement(raw, told)
        if other is None:
            return network.loss(self._network(pixels), targets)
        changed = other.pixels(device, self._kind, noise)
        raw = self._network(torch.cat((pixels, changed)))
        told, seen = _rows(raw, slice(len(pixels))), _rows(raw, slice(len(pixels), None))
        with torch.no_grad(), self.fabric.autocast():
            reference = self._averaged.module.eval()(other.plain(device, self._kind))
        done = len(self.done.curve) * self._per_epoch + self.done.step
        ramp = min(1.0, done / max(1.0, _RAMP * self.steps))
        weight = self.recipe.distil.consistency * ramp
        return network.loss(told, targets) + weight * network.agreement(seen, reference)

    def _judged(self) -> float | None:
        """The val split's metric, by the first process, for all."""
        if self.data.judged is None:
            return None
        value = None
        if self.fabric.is_global_zero:
            value = score(self._averaged.module, self.data.judged, self.recipe.task)
        return self.fabric.broadcast(value)

    def _keep_best(self, point: Epoch) -> None:
        if not self.recipe.patience or point.val is None:
            self.done.best = point.epoch
            return
        before = self.done.curve[self.done.best - 1].val if self.done.best else None
        if before is None or point.val > before:
            self.done.best = point.epoch
            weights = self._averaged.module.state_dict()
            self._best = {name: value.clone() for name, value in weights.items()}


def _optimizer(
    network: Network, recipe: Recipe, steps: int
) -> tuple[torch.optim.Optimizer, OneCycleLR]:
    """AdamW without decay of biases and norms, and a cosine schedule with a warm-up."""
    matrices = [p for p in network.parameters() if p.ndim > 1]
    vectors = [p for p in network.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": recipe.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ],
        lr=recipe.learning_rate,
        fused=True,  # one pass over all weights: a quarter of the time
    )
    # A warm-up of exactly one step is none: OneCycleLR would divide by its length less one.
    warmup = 0.0 if recipe.warmup * (steps + 1) == 1.0 else recipe.warmup
    schedule = OneCycleLR(
        optimizer,
        max_lr=recipe.learning_rate,
        total_steps=steps + 1,
        pct_start=warmup,
        cycle_momentum=False,
    )
    return optimizer, schedule


def _rows(raw: Any, rows: slice) -> Any:
    """Some pictures' part of a raw output: a tensor, or a named tuple of them."""
    if isinstance(raw, Tensor):
        return raw[rows]
    return type(raw)(*(None if part is None else part[rows] for part in raw))


def _mixed(seed: int, epoch: int, step: int) -> int:
    """One number of three; two steps share it by chance alone."""
    return int(np.random.SeedSequence((seed, epoch, step)).generate_state(1)[0])
