"""Which detections are right: COCO's matching, once for each IoU threshold, then only reweighted.

The rules are those of COCO's evaluation (Lin et al. 2014, and its reference code): per picture and
class, the 100 detections of highest score, best first, each take the free truth box of the highest
IoU that reaches the threshold; of equal ones the last. A truth box to be ignored (`iscrowd`) may be
taken any number of times, by what takes no real one, and its IoU is the share of the *detection*
that lies in it. Boxes of another size than is asked for are ignored too, and so are detections of
another size that take nothing. What is ignored counts neither way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from edgefactory.datasets.outcomes import IOUS, Matched, ratio
from edgefactory.training.metrics import Booleans, Detections, Floats, Integers, Truth

MOST: Final = 100  # detections of a class in a picture
EVERY: Final = (0.0, 1e10)  # square pixels
SIZES: Final = {"small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
FREE, IGNORED = -1, -2  # instead of the number of a truth box


def classes_in(truths: Sequence[Truth]) -> list[int]:
    """The classes that there is something of to find, in order."""
    return sorted({int(label) for truth in truths for label in truth.labels[~truth.ignore]})


def match(
    answers: Sequence[Detections],
    truths: Sequence[Truth],
    label: int,
    sizes: tuple[float, float] = EVERY,
    ious: Floats = IOUS,
) -> Matched:
    """Match the detections of class `label`; only boxes of `sizes` square pixels count."""
    scores, picture, rank, taken, outside = [], [], [], [], []
    wanted = np.zeros(len(truths), np.int64)
    for index, (found, truth) in enumerate(zip(answers, truths, strict=True)):
        order = order_of(found, label)
        boxes = found.boxes[order]
        mine = truth.labels == label
        ignore = truth.ignore[mine] | ~_within(truth.boxes[mine], sizes)
        wanted[index] = (~ignore).sum()
        if not len(boxes):
            continue
        overlap = coco_iou(boxes, truth.boxes[mine], truth.ignore[mine])
        taken.append(assign(overlap, ignore, truth.ignore[mine], ious))
        outside.append(~_within(boxes, sizes))
        scores.append(found.scores[order])
        picture.append(np.full(len(boxes), index))
        rank.append(np.arange(len(boxes)))
    if not scores:
        none = np.zeros((len(ious), 0), np.bool_)
        nowhere = np.zeros(0, np.int64)
        return Matched(np.zeros(0), nowhere, nowhere, none, none, wanted)
    ranked = np.argsort(-np.concatenate(scores), kind="stable")
    took = np.concatenate(taken, axis=1)[:, ranked]
    counts = (took != IGNORED) & ~((took == FREE) & np.concatenate(outside)[ranked])
    return Matched(
        np.concatenate(scores)[ranked],
        np.concatenate(picture)[ranked],
        np.concatenate(rank)[ranked],
        took >= 0,
        counts,
        wanted,
    )


def order_of(found: Detections, label: int) -> Integers:
    """The places of the detections of one class by falling score, at most `MOST`."""
    mine = np.flatnonzero(found.labels == label)
    return mine[np.argsort(-found.scores[mine], kind="stable")][:MOST]


def assign(overlap: Floats, ignore: Booleans, crowd: Booleans, ious: Floats) -> Integers:
    """What each of d detections (rows of `overlap` [d,g], best first) takes at T thresholds: [T,d].

    The number of a real box, `IGNORED` for one to be ignored, `FREE` for none. Only `crowd` boxes
    may be taken twice.
    """
    took = np.full((len(ious), len(overlap)), FREE)
    free = np.ones((len(ious), len(ignore)), np.bool_)
    least = np.minimum(ious, 1 - 1e-10)[:, None]
    kinds = [kind for kind in (~ignore, ignore) if kind.any()]
    for row in np.flatnonzero((overlap >= ious.min() - 1e-10).any(axis=1)):
        reached = (overlap[row] >= least) & (free | crowd)
        for kind in kinds:
            fit = np.where(reached & kind, overlap[row], -1.0)
            new = np.flatnonzero((fit.max(axis=1) >= 0) & (took[:, row] == FREE))
            if len(new):
                best = fit.shape[1] - 1 - fit[new, ::-1].argmax(axis=1)
                took[new, row] = np.where(ignore[best], IGNORED, best)
                free[new, best] = False
    return took


def coco_iou(boxes: Floats, truth: Floats, crowd: Booleans) -> Floats:
    """Intersection over union [d,g] of xyxy boxes; over the detection alone where it is a crowd."""
    low = np.maximum(boxes[:, None, :2], truth[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], truth[None, :, 2:])
    both = np.clip(high - low, 0, None).prod(axis=2)
    own = area(boxes)[:, None]
    whole = np.where(crowd[None], own, own + area(truth)[None] - both)
    return ratio(both, whole, 0.0)


def area(boxes: Floats) -> Floats:
    """Areas [n] of xyxy boxes [n,4]."""
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), np.float64)


def _within(boxes: Floats, sizes: tuple[float, float]) -> Booleans:
    areas = area(boxes)
    return (areas >= sizes[0]) & (areas <= sizes[1])
