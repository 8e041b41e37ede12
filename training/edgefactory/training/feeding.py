"""Batches for training: joined, changed and collated, as fast as the network takes them.

What happens to a picture follows from (seed, epoch, picture) alone, so that neither threads nor
processes nor an interruption change what a run sees. Several threads prepare a batch while the one
before it is learned: on a GPU the cores are free for that, and on a CPU a network's many small
steps leave enough of them idle. Tiny pictures are moved all at once.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Final, Self

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edgefactory.training.augment import (
    DICE,
    GREY,
    Change,
    change,
    draw,
    light,
    moved,
    noisy,
    views,
)
from edgefactory.training.examples import Examples
from edgefactory.training.paste import Scene, paste, scene_of
from edgefactory.training.recipe import Recipe
from edgefactory.training.targets import NO_MARKS, ClassTargets, Marks, Targets, joined, padded

Ints = npt.NDArray[np.int64]
UInt8 = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

_BLOCK: Final = 1024  # pictures whose random numbers are drawn at once
_SMALL: Final = 64 * 64  # pixels of a picture up to which a batch is moved at once


@dataclass(frozen=True)
class Batch:
    """Pictures uint8 [N,H,W,3], what they ask for, and the seed of their noise.

    `unlit`: the same pictures before their light was changed, from a feeder that keeps them.
    """

    pictures: Tensor
    targets: Targets | ClassTargets
    noise_seed: int
    unlit: Tensor | None = None

    def pixels(self, device: torch.device, kind: torch.dtype, noise: float) -> Tensor:
        """Grey levels [N,3,H,W] on the network's device, with noise; bf16 holds them exactly."""
        if not noise:
            return _pixels(self.pictures, device, kind)
        chance = torch.Generator().manual_seed(self.noise_seed)
        return noisy(_pixels(self.pictures, device, torch.float32), noise, chance).to(kind)

    def plain(self, device: torch.device, kind: torch.dtype) -> Tensor:
        """The grey levels of `unlit`."""
        assert self.unlit is not None
        return _pixels(self.unlit, device, kind)


class Feeder:
    """Prepares the batches of examples; a context manager, for its threads."""

    def __init__(
        self,
        examples: Examples,
        recipe: Recipe,
        *,
        threads: int,
        paint_ignored: bool,
        keep_unlit: bool = False,
    ) -> None:
        """`paint_ignored`: regions that teach nothing are painted grey, for losses that cannot
        leave them out. `keep_unlit`: batches have their `unlit` pictures too."""
        self._examples = examples
        self._recipe = recipe
        self._scene: Scene | None = scene_of(examples) if recipe.augment.paste else None
        self._threads = threads
        self._paint, self._keep_unlit = paint_ignored, keep_unlit
        self._tables: dict[tuple[int, int], Floats] = {}
        self._own = threading.local()
        self._pool = ThreadPoolExecutor(threads, "feeder", self._begin)
        cv2.setNumThreads(1)  # of the whole process
        # Batches wait for pictures, so they must not take the threads that make those.
        self._batches = ThreadPoolExecutor(1, "batches", partial(torch.set_num_threads, 1))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _where: TracebackType | None,
    ) -> None:
        self._batches.shutdown(cancel_futures=True)
        self._pool.shutdown(cancel_futures=True)

    def batches(self, parts: Iterator[tuple[int, Ints]]) -> Iterator[Batch]:
        """The batches of (epoch, pictures' numbers), in order, each begun one before its turn."""
        waiting: Future[Batch] | None = None
        for epoch, numbers in parts:
            following = self._batches.submit(self.batch, epoch, numbers)
            if waiting is not None:
                yield waiting.result()
            waiting = following
        if waiting is not None:
            yield waiting.result()

    def batch(self, epoch: int, numbers: Ints) -> Batch:
        """The pictures of those numbers, as `epoch` shows them."""
        height, width = self._examples.pictures.shape[1:3]
        sequence = self._recipe.task == "temporal"
        dice = self._dice(epoch, numbers)
        changes = [
            draw(self._recipe.augment, (width, height), row, sequence=sequence)
            for row in dice[:, :DICE].tolist()
        ]
        if self._small(changes):
            out, marks = views(self._examples.pictures[numbers], changes), list[Marks]()
        else:
            out, marks = self._each(epoch, numbers, changes, dice[:, DICE])
        targets = self._targets(numbers, marks, changes, out)
        unlit = torch.from_numpy(out.copy()) if self._keep_unlit else None
        for picture, wanted in zip(out, changes, strict=True):
            light(wanted, picture)
        seed = int(dice[0, DICE + 1] * 2**52)
        return Batch(torch.from_numpy(out), targets, seed, unlit)

    def _begin(self) -> None:
        """What each thread that prepares pictures does first.

        It computes alone; the number is OpenMP's of the calling thread, so the network keeps all
        of its own. Where people join pictures is kept: new memory costs more than to write there.
        """
        torch.set_num_threads(1)
        self._own.canvas = np.empty(self._examples.pictures.shape[1:], np.uint8)

    def _small(self, changes: list[Change]) -> bool:
        """Whether all pictures are moved at once: tiny ones without boxes or anything dear."""
        height, width = self._examples.pictures.shape[1:3]
        plain = all(c.hue is None and c.blur is None for c in changes)
        classes = isinstance(self._examples.targets, ClassTargets)
        return classes and plain and height * width <= _SMALL

    def _each(
        self, epoch: int, numbers: Ints, changes: list[Change], luck: Floats
    ) -> tuple[UInt8, list[Marks]]:
        """Picture by picture, by several threads: changed pictures, and their marks before that."""
        out = np.empty((len(numbers), *self._examples.pictures.shape[1:]), np.uint8)
        marks: list[Marks] = [NO_MARKS] * len(numbers)

        def prepare(first: int) -> None:
            for place in range(first, len(numbers), self._threads):
                number = int(numbers[place])
                picture, marks[place] = self._picture(epoch, number, float(luck[place]))
                change(picture, changes[place], out[place])

        for done in [self._pool.submit(prepare, first) for first in range(self._threads)]:
            done.result()
        return out, marks

    def _picture(self, epoch: int, number: int, luck: float) -> tuple[UInt8, Marks]:
        """A picture and its marks, joined by others where it is one that is."""
        if self._scene is not None and luck < self._recipe.augment.paste:
            chance = np.random.default_rng((self._recipe.seed, epoch, number))
            canvas: UInt8 = self._own.canvas
            return canvas, paste(self._scene, number, chance, canvas)
        targets = self._examples.targets
        marks = NO_MARKS if isinstance(targets, ClassTargets) else targets[number]
        return self._examples.pictures[number], marks

    def _dice(self, epoch: int, numbers: Ints) -> Floats:
        """Random numbers of each picture [n,DICE+2]: for its change, for pasting, for noise.

        Drawn for a block of pictures at once: a generator for each one costs as much as its change.
        """
        rows = []
        for number in numbers.tolist():
            block, row = divmod(number, _BLOCK)
            key = (epoch, block)
            if key not in self._tables:
                self._tables = {k: v for k, v in self._tables.items() if k[0] == epoch}
                chance = np.random.default_rng((self._recipe.seed, epoch, block))
                self._tables[key] = chance.random((_BLOCK, DICE + 2))
            rows.append(self._tables[key][row])
        return np.stack(rows)

    def _targets(
        self, numbers: Ints, marks: list[Marks], changes: list[Change], out: UInt8
    ) -> Targets | ClassTargets:
        targets = self._examples.targets
        if isinstance(targets, ClassTargets):
            return targets.at(torch.from_numpy(numbers))
        flat, of = joined(marks)
        flat = moved(flat, of, changes, (out.shape[2], out.shape[1]))
        if self._paint:
            paint(out, flat, of)
        return padded(flat, of, len(numbers))


def _pixels(pictures: Tensor, device: torch.device, kind: torch.dtype) -> Tensor:
    return pictures.to(device).permute(0, 3, 1, 2).to(kind)


def paint(pictures: UInt8, marks: Marks, of: Ints) -> None:
    """Paint the ignore regions of a batch [N,H,W,3] grey, in place."""
    corners = np.maximum(marks.boxes[marks.ignore], 0)
    lows, highs = np.floor(corners[:, :2]).astype(int), np.ceil(corners[:, 2:]).astype(int)
    for number, (x0, y0), (x1, y1) in zip(of[marks.ignore], lows, highs, strict=True):
        pictures[number, y0:y1, x0:x1] = GREY
