"""Two answers about one picture, decision by decision: what is the same, and what is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import linear_sum_assignment

from edgefactory.compress.answers import Answer
from edgefactory.compress.parity.document import Change
from edgefactory.training import Detections
from edgefactory.training.evaluation.matching import coco_iou
from edgefactory.training.metrics import Floats, Integers

SAME_THING: Final = 0.5  # IoU from which two boxes are about the same thing
SAME_PLACE: Final = 0.7  # IoU below which such a box has moved


@dataclass(frozen=True)
class Paired:
    """One picture: decisions of each, how they pair, and by how much the pairs' scores moved.

    `moves` are other less reference of the matched decisions; `ious` of the matched boxes.
    """

    reference: int
    other: int
    changes: dict[Change, int]
    moves: tuple[float, ...]
    ious: tuple[float, ...] = ()

    @property
    def decisions(self) -> int:
        """All decisions that either took; a pair counts once."""
        return len(self.moves) + self.changes["missing"] + self.changes["extra"]

    @property
    def changed(self) -> int:
        """How many of them the other took otherwise."""
        return sum(self.changes.values())

    @property
    def weight(self) -> float:
        """How bad the picture is: changed decisions first, then moved scores."""
        return self.changed + max((abs(move) for move in self.moves), default=0.0)


def paired(reference: Answer, other: Answer, point: float) -> Paired:
    """Pair the decisions about one picture; detections count from the score `point` up.

    Boxes pair whatever their class, so that the sum of IoU is the largest (Hungarian method), from
    IoU 0.5 up. A pair of two classes is `flipped`, one below IoU 0.7 has `moved`.
    """
    if isinstance(reference, Detections) and isinstance(other, Detections):
        return _boxes(kept(reference, point), kept(other, point))
    assert not isinstance(reference, Detections)
    assert not isinstance(other, Detections)
    best = int(reference.argmax())
    flipped = int(best != int(other.argmax()))
    return Paired(1, 1, _changes(flipped=flipped), (float(other[best] - reference[best]),))


def kept(found: Detections, point: float) -> Detections:
    """The detections from the score `point` up."""
    good = found.scores >= point
    return Detections(found.boxes[good], found.scores[good], found.labels[good])


def changed(pairs: Sequence[Paired]) -> int:
    """Changed decisions in all pictures."""
    return sum(pair.changed for pair in pairs)


def told_apart(a: Detections, b: Detections) -> tuple[list[Change | None], list[Change | None]]:
    """What changed about each decision of the one and of the other; None: nothing."""
    rows, columns, ious = _matched(a, b)
    ours: list[Change | None] = ["missing"] * len(a.scores)
    theirs: list[Change | None] = ["extra"] * len(b.scores)
    for row, column, iou in zip(rows, columns, ious, strict=True):
        flipped = a.labels[row] != b.labels[column]
        change: Change | None = "flipped" if flipped else "moved" if iou < SAME_PLACE else None
        ours[row] = theirs[column] = change
    return ours, theirs


def _boxes(a: Detections, b: Detections) -> Paired:
    rows, columns, ious = _matched(a, b)
    ours, theirs = told_apart(a, b)
    changes = _changes(
        missing=ours.count("missing"),
        extra=theirs.count("extra"),
        flipped=ours.count("flipped"),
        moved=ours.count("moved"),
    )
    moves = tuple(float(move) for move in b.scores[columns] - a.scores[rows])
    return Paired(len(a.scores), len(b.scores), changes, moves, tuple(map(float, ious)))


def _matched(a: Detections, b: Detections) -> tuple[Integers, Integers, Floats]:
    """Places of the pairs in the one and in the other, and their IoU."""
    overlap = coco_iou(a.boxes, b.boxes, np.zeros(len(b.boxes), np.bool_))
    rows, columns = linear_sum_assignment(-np.where(overlap >= SAME_THING, overlap, 0.0))
    good = overlap[rows, columns] >= SAME_THING
    return rows[good], columns[good], overlap[rows, columns][good]


def _changes(
    *, missing: int = 0, extra: int = 0, flipped: int = 0, moved: int = 0
) -> dict[Change, int]:
    return {"missing": missing, "extra": extra, "flipped": flipped, "moved": moved}
