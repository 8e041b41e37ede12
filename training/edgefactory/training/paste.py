"""People from one picture set into another: a fixed camera's own way to make crowds.

Copy-paste augmentation (Dwibedi et al. 2017, Ghiasi et al. 2021), with what a still scene adds:
its median picture tells which pixels of a box are the person, and since the camera stands still,
a person set down at the same height in the picture has the right size. Whoever stands lower is
nearer and stays in front.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from edgefactory.training.examples import Examples
from edgefactory.training.targets import ClassTargets, Marks

_MOST = 8  # people that join a picture
_SAME = np.zeros(3)  # grey levels by which the channels of two pixels differ, at least
_ALIKE = np.full(3, 30.0)  # and at most, where nobody is
_STILL = 0.2  # of all pixels may differ on average, or the camera moves
_PERSON = 0.25  # of a box must differ, or it holds no person to cut out
_HIDDEN = 0.6  # of a box covered: it is no longer asked for
_ASIDE = 0.3  # of the picture's width that a person may be moved to the side
_STAYS = 0.3  # probability of not being moved
_SAMPLE = 54  # pictures that the median is taken of

UInt8 = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Scene:
    """The training pictures uint8 [N,H,W,3], their marks, and what is behind: uint8 [H,W,3]."""

    pictures: UInt8
    marks: tuple[Marks, ...]
    behind: UInt8
    _people: dict[tuple[int, int], Bools | None] = field(default_factory=dict)

    def person(self, who: tuple[int, int], box: Box) -> Bools | None:
        """Where in the `box` of (picture, number of the mark) the person is; None for nobody.

        Kept: the same people are asked for in every epoch.
        """
        if who not in self._people:
            x0, y0, x1, y1 = box
            seen = self.differs(self.pictures[who[0], y0:y1, x0:x1], box)
            self._people[who] = seen if seen.mean() >= _PERSON else None
        return self._people[who]

    def differs(self, pixels: UInt8, box: Box) -> Bools:
        """Where pixels (the part `box` of a picture) are not what is behind."""
        x0, y0, x1, y1 = box
        behind = self.behind[y0:y1, x0:x1]
        alike = cv2.inRange(cv2.absdiff(pixels, behind), _SAME, _ALIKE)
        return np.asarray(alike == 0)


def scene_of(learned: Examples) -> Scene | None:
    """The scene behind the examples; None for a classifier's, and where the camera moves."""
    if isinstance(learned.targets, ClassTargets):
        return None
    pictures = learned.pictures
    sample = pictures[:: max(1, len(pictures) // _SAMPLE)]
    scene = Scene(pictures, learned.targets, np.median(sample, axis=0).astype(np.uint8))
    whole = (0, 0, pictures.shape[2], pictures.shape[1])
    moves = np.mean([scene.differs(picture, whole).mean() for picture in sample])
    return scene if moves < _STILL else None


def paste(scene: Scene, number: int, chance: np.random.Generator, out: UInt8) -> Marks:
    """Write picture `number`, joined by up to _MOST people of another one, to `out`; everyone's
    marks."""
    out[:] = scene.pictures[number]
    canvas = _Canvas(out, scene.pictures[number], scene.marks[number])
    other = int(chance.integers(len(scene.pictures)))
    theirs = scene.marks[other]
    taught = np.flatnonzero((theirs.weights > 0) & ~theirs.ignore)
    for person in chance.permutation(taught)[: int(chance.integers(1, _MOST + 1))].tolist():
        box = _inside(theirs.boxes[person].tolist(), canvas.pixels.shape)
        if box is not None:
            _set_down(canvas, scene, (other, person), box, chance)
    return canvas.everyone(theirs)


@dataclass
class _Canvas:
    """A picture that is being joined, as it was before, who is there, and who has come.

    `boxes` are everyone's, those of `come` (their numbers in the other picture) last.
    """

    pixels: UInt8
    before: UInt8
    marks: Marks
    come: list[int] = field(default_factory=list)
    boxes: list[list[float]] = field(init=False)

    def __post_init__(self) -> None:
        self.boxes = self.marks.boxes.tolist()

    def everyone(self, theirs: Marks) -> Marks:
        """Everyone's marks; `theirs` are those of the other picture."""
        if not self.come:
            return self.marks
        come, boxes = np.array(self.come), np.array(self.boxes, np.float32)
        ignore = np.concatenate((self.marks.ignore, theirs.ignore[come]))
        return Marks(
            boxes,
            np.concatenate((self.marks.labels, theirs.labels[come])),
            np.concatenate((self.marks.weights, theirs.weights[come])),
            np.concatenate((self.marks.heights, theirs.heights[come])),
            ignore | _hidden(boxes, len(self.marks)),
        )


def _inside(box: list[float], shape: tuple[int, ...]) -> Box | None:
    x0, y0, x1, y1 = (round(value) for value in box)
    x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, shape[1]), min(y1, shape[0])
    return (x0, y0, x1, y1) if x1 - x0 >= 4 and y1 - y0 >= 8 else None


def _set_down(
    canvas: _Canvas, scene: Scene, who: tuple[int, int], box: Box, chance: np.random.Generator
) -> None:
    """Copy the pixels of one person; nothing where there is no person, or no room for one."""
    x0, y0, x1, y1 = box
    other, number = who
    person = scene.person(who, box)
    if person is None:
        return
    width = canvas.pixels.shape[1]
    far = int(_ASIDE * width)
    aside = 0 if chance.random() < _STAYS else int(chance.integers(-far, far + 1))
    aside = aside if x0 + aside >= 0 and x1 + aside <= width else 0
    target = (x0 + aside, y0, x1 + aside, y1)
    front = _in_front(canvas.boxes, target)
    if front is not None:
        if np.count_nonzero(front) > _HIDDEN * front.size:
            return
        before = canvas.before[y0:y1, target[0] : target[2]]
        person = person & ~(front & scene.differs(before, target))
    window = canvas.pixels[y0:y1, target[0] : target[2]]
    cv2.copyTo(scene.pictures[other, y0:y1, x0:x1], person.view(np.uint8), window)
    canvas.come.append(number)
    canvas.boxes.append([float(value) for value in target])


def _in_front(boxes: list[list[float]], target: Box) -> Bools | None:
    """Where in `target` boxes lie whose feet are lower: they are nearer. None for nowhere."""
    x0, y0, x1, y1 = target
    near = [b for b in boxes if b[3] > y1 and b[0] < x1 and b[2] > x0 and b[1] < y1]
    if not near:
        return None
    front = np.zeros((y1 - y0, x1 - x0), np.bool_)
    for box in near:
        u0, v0, u1, v1 = (max(round(value), 0) for value in box)
        front[max(v0 - y0, 0) : max(v1 - y0, 0), max(u0 - x0, 0) : max(u1 - x0, 0)] = True
    return front


def _hidden(boxes: npt.NDArray[np.float32], first: int) -> Bools:
    """Which boxes a nearer one covers for the most part: they become ignore regions.

    Those from `first` on have come, one after the other, and may cover whoever was there before.
    """
    come = boxes[first:]
    low = np.maximum(boxes[:, None, :2], come[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], come[None, :, 2:])
    shared, side = np.maximum(high - low, 0), boxes[:, 2:] - boxes[:, :2]
    most = np.maximum(side[:, 0] * side[:, 1], 1.0) * _HIDDEN
    covers = boxes[:, 3, None] <= come[None, :, 3]
    covers &= shared[..., 0] * shared[..., 1] > most[:, None]
    covers &= np.arange(len(boxes))[:, None] < np.arange(first, len(boxes))[None, :]
    return np.asarray(covers.any(axis=1))
