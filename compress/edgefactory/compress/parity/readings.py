"""What two pipelines read out of the same outputs, and how their readings differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from edgefactory.compress.answers import Answer
from edgefactory.compress.parity.inputs import Cause
from edgefactory.compress.parity.pairing import kept
from edgefactory.training import Detections
from edgefactory.training.evaluation.matching import coco_iou

_SAME: Final = 1e-3
_PIXELS: Final = 0.5
_TELLING: Final = 0.05  # how far the largest overlaps must lie apart


def reading_cause(
    reference: Sequence[Answer], other: Sequence[Answer], point: float
) -> Cause | None:
    """How the readings differ; None where they are the same."""
    if all(_same(a, b) for a, b in zip(reference, other, strict=True)):
        return None
    if isinstance(reference[0], Detections):
        pairs = [
            (a, b)
            for a, b in zip(reference, other, strict=True)
            if isinstance(a, Detections) and isinstance(b, Detections)
        ]
        return _renamed(pairs, point) or _suppressed(pairs, point) or _other(pairs)
    tables = [np.stack([np.asarray(a) for a in side]) for side in (reference, other)]
    for by in range(1, tables[0].shape[1]):
        if np.allclose(np.roll(tables[0], by, axis=1), tables[1], atol=_SAME):
            return Cause("labels", f"each class is taken for the one {by} further on")
    orders = [np.sort(table, axis=1) for table in tables]
    if np.allclose(orders[0], orders[1], atol=_SAME):
        return Cause("labels", "the probabilities are given to other classes")
    return Cause("decoding", "other probabilities are read out of the same outputs")


def _same(a: Answer, b: Answer) -> bool:
    if isinstance(a, Detections) and isinstance(b, Detections):
        return (
            len(a.scores) == len(b.scores)
            and np.allclose(a.scores, b.scores, atol=_SAME)
            and np.array_equal(a.labels, b.labels)
            and np.allclose(a.boxes, b.boxes, atol=_PIXELS)
        )
    return np.allclose(np.asarray(a), np.asarray(b), atol=_SAME)


def _renamed(pairs: Sequence[tuple[Detections, Detections]], point: float) -> Cause | None:
    """The same boxes under other class numbers, each number always for the same other one."""
    means: set[tuple[int, int]] = set()
    for ours, theirs in ((kept(a, point), kept(b, point)) for a, b in pairs):
        if len(ours.scores) != len(theirs.scores) or not np.allclose(
            ours.boxes, theirs.boxes, atol=_PIXELS
        ):
            return None
        means |= {*zip(ours.labels.tolist(), theirs.labels.tolist(), strict=True)}
    if len({a for a, _ in means}) < len(means) or all(a == b for a, b in means):
        return None
    steps = {b - a for a, b in means}
    if len(steps) == 1:
        return Cause("labels", f"class numbers are moved by {steps.pop():+d}")
    said = ", ".join(f"{a} for {b}" for a, b in sorted(means)[:5])
    return Cause("labels", f"class numbers stand for other classes: {said}")


def _suppressed(pairs: Sequence[tuple[Detections, Detections]], point: float) -> Cause | None:
    """More or fewer boxes that overlap: another threshold of non-maximum suppression."""
    counts = [sum(len(kept(pair[side], point).scores) for pair in pairs) for side in (0, 1)]
    most = [max(_overlap(kept(pair[side], point)) for pair in pairs) for side in (0, 1)]
    if abs(most[0] - most[1]) < _TELLING and counts[0] == counts[1]:
        return None
    every = [max(_overlap(pair[side]) for pair in pairs) for side in (0, 1)]
    if abs(every[0] - every[1]) < _TELLING:
        lowest = [min(pair[s].scores.min(initial=1.0) for pair in pairs) for s in (0, 1)]
        return Cause(
            "threshold", f"decisions count from {lowest[1]:.3g} up, expected {lowest[0]:.3g}"
        )
    return Cause(
        "suppression",
        f"boxes of a class overlap by up to {every[1]:.2f}, expected {every[0]:.2f}: another "
        "threshold of non-maximum suppression",
    )


def _overlap(found: Detections) -> float:
    """The largest IoU of two boxes of one class."""
    overlap = coco_iou(found.boxes, found.boxes, np.zeros(len(found.boxes), np.bool_))
    alike = found.labels[:, None] == found.labels[None, :]
    np.fill_diagonal(alike, val=False)
    return float(np.where(alike, overlap, 0.0).max(initial=0.0))


def _other(pairs: Sequence[tuple[Detections, Detections]]) -> Cause:
    counts = [sum(len(pair[side].scores) for pair in pairs) for side in (0, 1)]
    if counts[0] == counts[1]:
        return Cause("decoding", "other boxes or scores are read out of the same outputs")
    return Cause("decoding", f"{counts[1]} decisions are read, expected {counts[0]}")
