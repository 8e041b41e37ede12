"""Boxes against a teacher's: what is missing, misplaced, of another class, or nowhere seen.

A teacher errs too, so it is believed only as far as it agrees with the labels: from the score on
that is usual for boxes which it found where a label is (the idea of confident learning's class
thresholds, Northcutt et al. 2021). A label is doubted only where the teacher, down to its least
score, sees nothing, and where the camera stands still only if the empty scene is all that there
is. After ObjectLab's three kinds (Tkachenko et al. 2023).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.contract import iou_matrix
from edgefactory.datasets.checks.findings import Kind
from edgefactory.datasets.checks.table import believed
from edgefactory.datasets.documents import Box, Item
from edgefactory.datasets.teachers import Found

Floats = NDArray[np.float32]

_SAME: Final = 0.5  # IoU from which two boxes are of the same thing
_APART: Final = 0.4  # IoU up to which a box is misplaced
_TOUCH: Final = 0.1  # IoU above which they may be of the same thing
_SUPPORT: Final = 0.35  # IoU above which a find speaks for a label, whatever else is known
_MOSTLY: Final = 0.5  # share of one of two boxes inside of the other that explains it
_FEWEST: Final = 10  # agreements that a class's threshold rests on
_USUAL: Final = 0.1  # of the scores of agreements: the quantile from which a find is believed
_ALONE: Final = 0.6  # the threshold where there are fewer


class Doubt(NamedTuple):
    """What the teacher objects to; `label` is the place among the item's labels."""

    kind: Kind
    picture: int
    score: float
    text: str
    label: int | None
    box: Box
    expected: str | None


@dataclass(frozen=True, slots=True)
class Compared:
    """One picture's labels and detections, paired greedily by IoU.

    `pairs` holds (label, detection, IoU) of the same class; `places` are the labels' places in
    the item; `ignored` are boxes that are not to be judged. All indices are the snapshot's
    classes.
    """

    picture: int
    boxes: Floats
    classes: NDArray[np.int64]
    places: tuple[int, ...]
    ignored: Floats
    found: Found
    pairs: tuple[tuple[int, int, float], ...]


def judged(picture: int, item: Item, found: Found, classes: Mapping[str, int]) -> Compared:
    """Pair the labels of `item` with `found`; `classes` has those that the teacher knows.

    Labels of other classes are not judged, nor are those that wait for a person or that a person
    took away; what is found on them is no news either.
    """
    told = [(place, label) for place, label in enumerate(item.labels) if label.box is not None]
    known = [(p, label) for p, label in told if believed(label) and label.class_ in classes]
    boxes = _array([label.box for _, label in known])
    kinds = np.asarray([classes[label.class_] for _, label in known], np.int64)
    places = tuple(place for place, _ in known)
    ignored = _array([label.box for place, label in told if place not in places])
    overlap = iou_matrix(boxes, found.boxes)
    overlap[kinds[:, None] != found.classes[None, :]] *= 0.999  # same class first
    pairs = tuple(greedy(overlap, _SAME))
    return Compared(picture, boxes, kinds, places, ignored, found, pairs)


def _array(boxes: Sequence[Box | None]) -> Floats:
    return np.asarray(boxes, np.float32).reshape(-1, 4)


def contained(a: Floats, b: Floats) -> Floats:
    """Intersection of boxes [n,4] and [m,4] over the smaller of the two: f32 [n,m]."""
    smaller = np.minimum(_areas(a)[:, None], _areas(b)[None, :])
    result: Floats = _shared(a, b) / np.maximum(smaller, 1e-9)
    return result


def _shared(a: Floats, b: Floats) -> Floats:
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared: Floats = np.clip(high - low, 0, None).prod(axis=2)
    return shared


def _areas(boxes: Floats) -> Floats:
    areas: Floats = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return areas


def greedy(overlap: Floats, least: float) -> Iterator[tuple[int, int, float]]:
    """Pairs (row, column, value) from `least` on, the largest first, each row and column once."""
    rows, columns = np.nonzero(overlap >= least)
    values = overlap[rows, columns]
    taken: set[int] = set()
    used: set[int] = set()
    for place in np.argsort(-values, kind="stable").tolist():
        row, column = int(rows[place]), int(columns[place])
        if row not in taken and column not in used:
            taken.add(row)
            used.add(column)
            yield row, column, float(values[place])


def find_doubts(
    compared: Sequence[Compared], classes: Sequence[str], empty: Callable[[int, Box], bool | None]
) -> list[Doubt]:
    """What the teacher objects to in all pictures, by thresholds that all of them give.

    `empty(picture, box)` says whether there is but the scene behind; None where that is not known.
    """
    limits = thresholds(compared, len(classes))
    doubts: list[Doubt] = []
    for one in compared:
        support = {label: detection for label, detection, _ in one.pairs}
        free = [label for label in range(len(one.boxes)) if label not in support]
        moved = _moved(one, free, limits)
        doubts += _swapped(one, limits, classes)
        doubts += _misplaced(one, moved)
        doubts += _missing(one, limits, set(moved.values()), classes)
        left = [label for label in free if label not in moved]
        doubts += _unseen(one, left, classes, empty)
    return doubts


def thresholds(compared: Sequence[Compared], count: int) -> Floats:
    """For each class the score that is usual where the teacher and the labels agree."""
    scores: list[list[float]] = [[] for _ in range(count)]
    for one in compared:
        for label, detection, _ in one.pairs:
            if one.classes[label] == one.found.classes[detection]:
                scores[int(one.classes[label])].append(float(one.found.scores[detection]))
    return np.asarray(
        [np.quantile(each, _USUAL) if len(each) >= _FEWEST else _ALONE for each in scores],
        np.float32,
    )


def _swapped(one: Compared, limits: Floats, classes: Sequence[str]) -> Iterator[Doubt]:
    """Labels whose box the teacher confirms, and whose class it does not."""
    for label, detection, _ in one.pairs:
        class_ = int(one.found.classes[detection])
        if class_ != one.classes[label] and one.found.scores[detection] >= limits[class_]:
            says = classes[one.classes[label]]
            text = f"labelled {says}; the teacher sees {classes[class_]}"
            yield _doubt("label-error", one, detection, text, label, classes[class_])


def _moved(one: Compared, free: list[int], limits: Floats) -> dict[int, int]:
    """Labels that nothing supports, each with a detection beside it that no label explains.

    Half of the usual score is enough for a detection: there are two signs of the same error.
    """
    sure = one.found.scores >= limits[one.found.classes] / 2
    open_ = [detection for detection in _open(one) if sure[detection]]
    part = iou_matrix(one.boxes[free], one.found.boxes[open_])
    same = one.classes[free][:, None] == one.found.classes[open_][None, :]
    near = np.where(same & (part <= _APART), part, 0.0).astype(np.float32)
    return {free[row]: open_[column] for row, column, _ in greedy(near, _TOUCH)}


def _open(one: Compared) -> list[int]:
    seen = {detection for _, detection, _ in one.pairs}
    return [detection for detection in range(len(one.found.boxes)) if detection not in seen]


def _misplaced(one: Compared, moved: Mapping[int, int]) -> Iterator[Doubt]:
    held = contained(one.boxes, one.found.boxes)
    overlap = iou_matrix(one.boxes, one.found.boxes)
    for label, detection in moved.items():
        # A detection around two labels is the teacher's error: it took them for one.
        if (np.delete(held[:, detection], label) < _MOSTLY).all():
            text = f"overlaps by {overlap[label, detection]:.2f} with where the teacher sees it"
            yield _doubt("misplaced-box", one, detection, text, label, None)


def _missing(
    one: Compared, limits: Floats, moved: Set[int], classes: Sequence[str]
) -> Iterator[Doubt]:
    known = np.concatenate([one.boxes, one.ignored])
    held = contained(known, one.found.boxes).max(axis=0, initial=0.0)
    for detection in _open(one):
        score, class_ = float(one.found.scores[detection]), int(one.found.classes[detection])
        if score >= limits[class_] and detection not in moved and held[detection] < _MOSTLY:
            text = f"the teacher sees {classes[class_]} with the score {score:.2f}"
            yield _doubt("missing-box", one, detection, text, None, classes[class_])


def _unseen(
    one: Compared,
    free: list[int],
    classes: Sequence[str],
    empty: Callable[[int, Box], bool | None],
) -> Iterator[Doubt]:
    support = iou_matrix(one.boxes, one.found.boxes[_open(one)]).max(axis=1, initial=0.0)
    for label in free:
        x0, y0, x1, y1 = one.boxes[label].tolist()
        bare = empty(one.picture, (x0, y0, x1, y1))
        if bare is not False and support[label] <= (_SUPPORT if bare else _TOUCH):
            text = f"labelled {classes[one.classes[label]]}; the teacher sees nothing there"
            score = 1.0 if bare else 0.5
            place = one.places[label]
            yield Doubt("unseen-box", one.picture, score, text, place, (x0, y0, x1, y1), None)


def _doubt(
    kind: Kind, one: Compared, detection: int, text: str, label: int | None, expected: str | None
) -> Doubt:
    x0, y0, x1, y1 = one.found.boxes[detection].tolist()
    place = None if label is None else one.places[label]
    score = min(max(float(one.found.scores[detection]), 0.0), 1.0)
    return Doubt(kind, one.picture, score, text, place, (x0, y0, x1, y1), expected)
