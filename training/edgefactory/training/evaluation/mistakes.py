"""The worst errors of a detector, and how often classes were confused, from pairs of boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edgefactory.datasets import Item
from edgefactory.datasets.outcomes import IOUS
from edgefactory.training.evaluation.document import Box, Confusion, Kind, Mistake
from edgefactory.training.evaluation.matching import coco_iou
from edgefactory.training.evaluation.operating import Costs
from edgefactory.training.evaluation.pairing import Pair
from edgefactory.training.metrics import Detections, Floats, Truth

NOTHING: Final = "nothing"


@dataclass(frozen=True)
class Picture:
    """One picture with what was found and what is there, and how the two were paired."""

    item: Item
    found: Detections
    truth: Truth
    paired: Sequence[Pair]

    def mistakes(self, classes: Sequence[str], costs: Costs, threshold: float) -> list[Mistake]:
        """Its mistakes at the operating point. The loss is what one costs times how sure the model
        was of it; a poor or wrongly named box leaves its object missed, and so costs both."""
        return [
            self._mistake(pair.kind, pair, classes, self._loss(pair, costs, threshold))
            for pair in self.paired
            if pair.kind != "hit"
        ]

    def _mistake(self, kind: Kind, pair: Pair, classes: Sequence[str], loss: float) -> Mistake:
        d, g = pair.found, pair.truth
        return Mistake(
            kind,
            self.item.id,
            round(loss, 6),
            truth=classes[self.truth.labels[g]] if g is not None else None,
            found=classes[self.found.labels[d]] if d is not None else None,
            score=float(self.found.scores[d]) if d is not None else None,
            truth_box=_box(self.truth.boxes[g]) if g is not None else None,
            found_box=_box(self.found.boxes[d]) if d is not None else None,
            iou=pair.iou,
        )

    def _loss(self, pair: Pair, costs: Costs, threshold: float) -> float:
        if pair.found is None:
            return costs.fn * (1 - self._almost(pair, threshold))
        twice = pair.kind in ("wrong-class", "poor-box") and not pair.again
        cost = costs.fp + (costs.fn if twice else 0.0)
        return cost * float(self.found.scores[pair.found])

    def _almost(self, pair: Pair, threshold: float) -> float:
        """The highest score below the operating point with which the missed box was found."""
        assert pair.truth is not None
        box = self.truth.boxes[pair.truth][None]
        overlap = coco_iou(self.found.boxes, box, np.zeros(1, np.bool_))[:, 0]
        right = (overlap >= IOUS[0]) & (self.found.labels == self.truth.labels[pair.truth])
        return float(self.found.scores[right & (self.found.scores < threshold)].max(initial=0.0))


def confusion(pictures: Sequence[Picture], classes: Sequence[str]) -> Confusion:
    """Rows are what is there, columns what was found; the last of both is nothing."""
    counts = np.zeros((len(classes) + 1, len(classes) + 1), np.int64)
    for one in pictures:
        lost = {int(g) for g in np.flatnonzero(~one.truth.ignore)}
        for pair in one.paired:
            if pair.found is None:
                continue
            taken = pair.kind in ("hit", "wrong-class") and not pair.again
            row = one.truth.labels[pair.truth] if taken else -1
            counts[row, one.found.labels[pair.found]] += 1
            lost -= {pair.truth} if taken else set()
        np.add.at(counts[:, -1], one.truth.labels[sorted(lost)], 1)
    rows = tuple(tuple(int(count) for count in row) for row in counts)
    return Confusion((*classes, NOTHING), rows)


def worst(mistakes: Sequence[Mistake], most: int) -> tuple[tuple[Mistake, ...], dict[Kind, int]]:
    """Of each kind the `most` of the highest loss, and how many of each kind there are."""
    kept: Counter[Kind] = Counter()
    total: Counter[Kind] = Counter(mistake.kind for mistake in mistakes)
    chosen = []
    for mistake in sorted(mistakes, key=lambda one: (-one.loss, one.item)):
        kept[mistake.kind] += 1
        if kept[mistake.kind] <= most:
            chosen.append(mistake)
    return tuple(chosen), dict(total)


def _box(box: Floats) -> Box:
    x0, y0, x1, y1 = (round(float(value), 2) for value in box)
    return x0, y0, x1, y1
