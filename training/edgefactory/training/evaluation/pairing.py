"""What was taken for what at the operating point, box by box.

First each class for itself, as everywhere, so that the hits are those that precision and recall
count. Then what is left over, across classes, best score first. The kinds of error follow TIDE
(Bolya et al. 2020): a box of another class on an object is `wrong-class`, a second one on an object
that was found is a `duplicate`, one of the right class with IoU 0.1 to 0.5 is a `poor-box`, any
other is a `false-alarm`; an object that none of these is about is `missed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from edgefactory.datasets.outcomes import IOUS
from edgefactory.training.evaluation.document import Kind
from edgefactory.training.evaluation.matching import FREE, assign, coco_iou, order_of
from edgefactory.training.metrics import Booleans, Detections, Floats, Integers, Truth

RIGHT: Final = 0.5  # IoU from which a box is on an object
NEAR: Final = 0.1  # IoU from which a box of the right class is a poor one, and not an alarm


@dataclass(frozen=True)
class Pair:
    """A detection and a truth box of one picture, by their numbers there; None where one lacks.

    `again`: the truth box was found by a better detection.
    """

    kind: Kind | Literal["hit"]
    found: int | None
    truth: int | None
    iou: float | None = None
    again: bool = False


def pairs(found: Detections, truth: Truth, threshold: float) -> list[Pair]:
    """Every detection from `threshold` up that counts, and every truth box that is to be found."""
    hits, left = _within_classes(found, truth, threshold)
    overlap = coco_iou(found.boxes, truth.boxes, np.zeros(len(truth.labels), np.bool_))
    made = [Pair("hit", d, g, float(overlap[d, g])) for d, g in hits.items()]
    free = ~truth.ignore
    free[list(hits.values())] = False
    near = np.zeros_like(free)
    for d in left:
        same = found.labels[d] == truth.labels
        cases: tuple[tuple[Kind, Booleans, float, bool], ...] = (
            ("wrong-class", free & ~same, RIGHT, False),
            ("duplicate", ~truth.ignore & same, RIGHT, True),
            ("wrong-class", ~truth.ignore & ~same, RIGHT, True),
            ("poor-box", free & same & ~near, NEAR, False),
        )
        pair = next(filter(None, (_about(d, overlap[d], *case) for case in cases)), None)
        if pair is not None and pair.kind == "wrong-class" and not pair.again:
            free[pair.truth] = False
        if pair is not None and pair.kind == "poor-box":
            near[pair.truth] = True
        made.append(pair or Pair("false-alarm", d, None))
    return made + [Pair("missed", None, int(g)) for g in np.flatnonzero(free & ~near)]


def _within_classes(
    found: Detections, truth: Truth, threshold: float
) -> tuple[dict[int, int], list[int]]:
    """Truth boxes by the detections that took them, and the detections that took nothing."""
    hits: dict[int, int] = {}
    left: list[int] = []
    for label in np.unique(found.labels):
        order: Integers = order_of(found, int(label))
        order = order[found.scores[order] >= threshold]
        mine = np.flatnonzero(truth.labels == label)
        ignore = truth.ignore[mine]
        overlap = coco_iou(found.boxes[order], truth.boxes[mine], ignore)
        for d, took in zip(order, assign(overlap, ignore, ignore, IOUS[:1])[0], strict=True):
            if took >= 0:
                hits[int(d)] = int(mine[took])
            elif took == FREE:
                left.append(int(d))
    return hits, sorted(left, key=lambda d: -float(found.scores[d]))


def _about(
    d: int, overlap: Floats, kind: Kind, candidates: Booleans, least: float, again: bool
) -> Pair | None:
    """Detection `d` and the candidate of the highest IoU [g], if that is at least `least`."""
    fit = np.where(candidates, overlap, -1.0)
    if fit.max(initial=-1.0) < least:
        return None
    best = int(fit.argmax())
    return Pair(kind, d, best, float(fit[best]), again)
