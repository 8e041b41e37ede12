"""People from one picture set into another: a fixed camera's own way to make crowds.

Copy-paste augmentation (Dwibedi et al. 2017, Ghiasi et al. 2021), with what a still scene adds:
its median picture tells which pixels of a box are the person, and since the camera stands still,
a person set down at the same height in the picture has the right size. Whoever stands lower is
nearer and stays in front.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edgefactory.training.data import Examples
from edgefactory.training.loss import Targets

_MOST = 8  # people that join a picture
_DIFFERENCE = 30  # grey levels, in the channel that differs most
_STILL = 0.2  # of all pixels may differ on average, or the camera moves
_PERSON = 0.25  # of a box must differ, or it holds no person to cut out
_HIDDEN = 0.6  # of a box covered: it is no longer asked for
_ASIDE = 0.3  # of the picture's width that a person may be moved to the side
_STAYS = 0.3  # probability of not being moved

UInt8 = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Scene:
    """The training pictures uint8 [N,H,W,3], their targets, and where each differs [N,H,W]."""

    pictures: UInt8
    targets: Targets
    differs: Bools


def scene_of(learned: Examples) -> Scene | None:
    """The scene behind the examples; None for a classifier's, and where the camera moves."""
    if not isinstance(learned.targets, Targets):
        return None
    pictures = learned.pictures.numpy()
    behind = np.median(pictures[:: max(1, len(pictures) // 54)], axis=0).astype(np.int16)
    differs = np.stack([np.abs(p.astype(np.int16) - behind).max(2) > _DIFFERENCE for p in pictures])
    return Scene(pictures, learned.targets, differs) if differs.mean() < _STILL else None


def pasted(
    scene: Scene, index: Tensor, share: float, generator: torch.Generator
) -> tuple[Tensor, Targets]:
    """The pictures of `index` with their targets; a `share` of them joined by other people."""
    rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
    pictures = scene.pictures[index.numpy()]  # a copy
    targets = _roomy(scene.targets.at(index))
    for place, number in enumerate(index.tolist()):
        if rng.random() < share:
            canvas = _Canvas(pictures[place], scene.differs[number], targets, place)
            _join(canvas, scene, rng)
    return torch.from_numpy(pictures), targets


def _roomy(targets: Targets) -> Targets:
    def wider(values: Tensor) -> Tensor:
        room = values.new_zeros((len(values), _MOST, *values.shape[2:]))
        return torch.cat((values, room), dim=1)

    return Targets(
        wider(targets.boxes), wider(targets.labels), wider(targets.weights), wider(targets.ignore)
    )


@dataclass(frozen=True)
class _Canvas:
    """A picture that is being joined: its pixels, where it differs, and its row of the targets."""

    pixels: UInt8
    differs: Bools
    targets: Targets
    row: int

    def boxes(self) -> list[tuple[int, npt.NDArray[Any]]]:
        """(slot, box) of everyone who is there, newcomers too."""
        there = torch.nonzero(self.targets.weights[self.row] > 0).flatten().tolist()
        return [(slot, self.targets.boxes[self.row, slot].numpy()) for slot in there]


def _join(canvas: _Canvas, scene: Scene, rng: np.random.Generator) -> None:
    """Set up to _MOST people of another picture into the canvas."""
    other = int(rng.integers(len(scene.pictures)))
    theirs = scene.targets
    taught = torch.nonzero((theirs.weights[other] > 0) & ~theirs.ignore[other]).flatten().numpy()
    slot = canvas.targets.weights.shape[1] - _MOST
    for person in rng.permutation(taught)[: int(rng.integers(1, _MOST + 1))].tolist():
        box = _inside(theirs.boxes[other, person].numpy(), canvas.pixels.shape)
        if box is None or not _set_down(canvas, scene, other, box, slot, rng):
            continue
        canvas.targets.labels[canvas.row, slot] = theirs.labels[other, person]
        slot += 1


def _inside(box: npt.NDArray[Any], shape: tuple[int, ...]) -> Box | None:
    x0, y0, x1, y1 = (round(float(value)) for value in box)
    x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, shape[1]), min(y1, shape[0])
    return (x0, y0, x1, y1) if x1 - x0 >= 4 and y1 - y0 >= 8 else None


def _set_down(
    canvas: _Canvas, scene: Scene, other: int, box: Box, slot: int, rng: np.random.Generator
) -> bool:
    """Copy one person's pixels; False if there is no person, or no room for one."""
    x0, y0, x1, y1 = box
    person = scene.differs[other, y0:y1, x0:x1].copy()
    if person.mean() < _PERSON:
        return False
    width = canvas.pixels.shape[1]
    far = int(_ASIDE * width)
    aside = 0 if rng.random() < _STAYS else int(rng.integers(-far, far + 1))
    aside = aside if x0 + aside >= 0 and x1 + aside <= width else 0
    target = (x0 + aside, y0, x1 + aside, y1)
    front = _in_front(canvas, target)
    if front.mean() > _HIDDEN:
        return False
    window = np.s_[y0:y1, target[0] : target[2]]
    person &= ~(front & canvas.differs[window])
    _hide(canvas, target)
    canvas.pixels[window][person] = scene.pictures[other, y0:y1, x0:x1][person]
    canvas.targets.boxes[canvas.row, slot] = torch.tensor(target, dtype=torch.float32)
    canvas.targets.weights[canvas.row, slot] = 1.0
    return True


def _in_front(canvas: _Canvas, target: Box) -> Bools:
    """Where in `target` boxes lie whose feet are lower: they are nearer."""
    x0, y0, x1, y1 = target
    front = np.zeros((y1 - y0, x1 - x0), np.bool_)
    for _, box in canvas.boxes():
        if box[3] > y1:
            u0, v0, u1, v1 = (max(round(float(value)), 0) for value in box)
            front[max(v0 - y0, 0) : max(v1 - y0, 0), max(u0 - x0, 0) : max(u1 - x0, 0)] = True
    return front


def _hide(canvas: _Canvas, target: Box) -> None:
    """Whom the newcomer covers for the most part becomes an ignore region."""
    x0, y0, x1, y1 = target
    for slot, box in canvas.boxes():
        if box[3] <= y1:
            across = min(box[2], x1) - max(box[0], x0)
            down = min(box[3], y1) - max(box[1], y0)
            area = max(float((box[2] - box[0]) * (box[3] - box[1])), 1.0)
            if across > 0 and down > 0 and across * down / area > _HIDDEN:
                canvas.targets.ignore[canvas.row, slot] = True
