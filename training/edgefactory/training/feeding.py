"""Batches for training: joined, changed and collated, as fast as the network takes them.

Each picture is prepared by a generator seeded by (seed, epoch, picture), so that neither threads
nor processes nor an interruption change what a run sees. Several threads prepare a batch; where
the network runs on a device of its own, they are one batch ahead of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edgefactory.training.augment import GREY, change, draw, lit
from edgefactory.training.examples import Examples
from edgefactory.training.paste import Scene, pasted, scene_of
from edgefactory.training.recipe import Recipe
from edgefactory.training.targets import ClassTargets, Marks, Targets, padded

Ints = npt.NDArray[np.int64]

_NOISE: Final = 1  # the second seed of a batch's noise, beside those of its pictures


@dataclass(frozen=True)
class Batch:
    """Pictures uint8 [N,H,W,3], how each is lit [N], what they ask for, and the noise's seed."""

    pictures: Tensor
    gains: Tensor
    offsets: Tensor
    targets: Targets | ClassTargets
    noise_seed: int

    def pixels(self, device: torch.device, noise: float) -> Tensor:
        """Grey levels as float [N,3,H,W] on the network's device, lit."""
        pixels = self.pictures.to(device).permute(0, 3, 1, 2).float()
        chance = torch.Generator().manual_seed(self.noise_seed)
        return lit(pixels, self.gains.to(device), self.offsets.to(device), noise, chance)

    def plain(self, device: torch.device) -> Tensor:
        """The same grey levels as they are, not lit."""
        return self.pictures.to(device).permute(0, 3, 1, 2).float()


class Feeder:
    """Prepares the batches of examples; a context manager, for its threads."""

    def __init__(
        self,
        examples: Examples,
        recipe: Recipe,
        *,
        threads: int,
        ahead: bool,
        paint_ignored: bool,
    ) -> None:
        """`ahead`: prepare one batch while another is learned; `paint_ignored`: regions that
        teach nothing are painted grey, for losses that cannot leave them out."""
        self._examples = examples
        self._recipe = recipe
        self._scene: Scene | None = scene_of(examples) if recipe.augment.paste else None
        self._threads = threads
        self._ahead = ahead
        self._paint = paint_ignored
        self._pool = ThreadPoolExecutor(threads + 1, "feeder")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _where: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def batches(self, epoch: int, parts: Iterator[Ints]) -> Iterator[Batch]:
        """The batches of pictures `parts` names, in order."""
        if not self._ahead:
            yield from (self.batch(epoch, part) for part in parts)
            return
        waiting: Future[Batch] | None = None
        for part in parts:
            following = self._pool.submit(self.batch, epoch, part)
            if waiting is not None:
                yield waiting.result()
            waiting = following
        if waiting is not None:
            yield waiting.result()

    def batch(self, epoch: int, numbers: Ints) -> Batch:
        """The pictures of those numbers, as `epoch` shows them."""
        height, width = self._examples.pictures.shape[1:3]
        out = np.empty((len(numbers), height, width, 3), np.uint8)
        lights = np.empty((2, len(numbers)), np.float32)
        marks: list[Marks | None] = [None] * len(numbers)

        def prepare(first: int) -> None:
            for place in range(first, len(numbers), self._threads):
                number = int(numbers[place])
                chance = np.random.default_rng((self._recipe.seed, epoch, number))
                marks[place], lights[:, place] = self._picture(number, out[place], chance)

        if self._threads == 1:
            prepare(0)
        else:
            for done in [self._pool.submit(prepare, first) for first in range(self._threads)]:
                done.result()
        targets = self._examples.targets
        return Batch(
            pictures=torch.from_numpy(out),
            gains=torch.from_numpy(lights[0]),
            offsets=torch.from_numpy(lights[1]),
            targets=targets.at(torch.from_numpy(numbers))
            if isinstance(targets, ClassTargets)
            else padded([m for m in marks if m is not None]),
            noise_seed=_noise_seed(self._recipe.seed, epoch, int(numbers[0])),
        )

    def _picture(
        self, number: int, out: npt.NDArray[np.uint8], chance: np.random.Generator
    ) -> tuple[Marks | None, tuple[float, float]]:
        examples, how = self._examples, self._recipe.augment
        picture = examples.pictures[number]
        targets = examples.targets
        marks = None if isinstance(targets, ClassTargets) else targets[number]
        if self._scene is not None and chance.random() < how.paste:
            picture, marks = pasted(self._scene, number, chance)
        side = (picture.shape[1], picture.shape[0])
        wanted = draw(how, side, chance, sequence=self._recipe.task == "temporal")
        marks = change(picture, marks, wanted, out)
        if self._paint and marks is not None:
            marks = painted(out, marks)
        return marks, (wanted.gain, wanted.offset)


def painted(picture: npt.NDArray[np.uint8], marks: Marks) -> Marks:
    """Paint the ignore regions of a picture grey, in place; gives the other marks."""
    corners = np.maximum(marks.boxes[marks.ignore], 0)
    lows, highs = np.floor(corners[:, :2]).astype(int), np.ceil(corners[:, 2:]).astype(int)
    for (x0, y0), (x1, y1) in zip(lows, highs, strict=True):
        picture[y0:y1, x0:x1] = GREY
    return marks.at(~marks.ignore)


def _noise_seed(seed: int, epoch: int, number: int) -> int:
    return int(np.random.default_rng((seed, epoch, number, _NOISE)).integers(2**62))
