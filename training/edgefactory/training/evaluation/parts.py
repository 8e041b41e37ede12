"""A part of a detector's pictures, or of what is in them: its figures with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgefactory.datasets.outcomes import Matched, mean_precision, mean_recall, precisions, ratio
from edgefactory.training.evaluation.coco import APS, MOST
from edgefactory.training.evaluation.document import By, Measure
from edgefactory.training.evaluation.operating import Trade, trade_of
from edgefactory.training.evaluation.resampling import drawn, measure
from edgefactory.training.evaluation.subject import Judging
from edgefactory.training.metrics import Floats, Integers


@dataclass(frozen=True)
class Part:
    """A slice before it is measured. `classes` are those that there is something of to find;
    `every` has the false alarms of the others too. `values` are the library's, by figure."""

    by: By
    name: str
    classes: Sequence[Matched]
    every: Sequence[Matched]
    values: Mapping[str, float]

    @property
    def wanted(self) -> Integers:
        """Boxes to be found in each picture [P]."""
        return np.asarray(np.sum([one.wanted for one in self.every], axis=0), np.int64)

    @property
    def pictures(self) -> int:
        """How many there are; of a class or a size, how many show one."""
        wanted = self.wanted
        return int((wanted > 0).sum()) if self.by in ("class", "size") else len(wanted)

    def figures(self, threshold: float, judging: Judging) -> dict[str, Measure]:
        """COCO's figures, and what the operating point `threshold` makes of it.

        The values are the library's, the intervals ours; a test holds the two together.
        """
        wanted = self.wanted
        boxes, units = int(wanted.sum()), int((wanted > 0).sum())
        weights = drawn(len(wanted), judging.draws, judging.seed)
        figures = {}
        if self.values:
            table = precisions(self.classes, weights)
            ours = {name: mean_precision(table[ious]) for name, ious in APS.items()}
            ours |= {f"ar{most}": mean_recall(self.classes, weights, most) for most in MOST}
            figures = {
                name: measure(np.append(self.values[name], values[1:]), boxes, units)
                for name, values in ours.items()
            }
        return figures | _at_point(trade_of(self.every), weights, threshold, judging)


def _at_point(
    trade: Trade, weights: Floats, threshold: float, judging: Judging
) -> dict[str, Measure]:
    hits, alarms, missed = trade.counted(threshold)
    right, false, lost = weights @ hits, weights @ alarms, weights @ missed
    found, wanted = int((hits + alarms).sum()), int(trade.wanted.sum())
    saying, holding = (int((part > 0).sum()) for part in (hits + alarms, trade.wanted))
    each = np.maximum(weights.sum(axis=1), 1.0)
    figures = {
        "precision": measure(
            ratio(right, right + false, np.nan), found, saying, "nothing reaches the threshold"
        ),
        "recall": measure(ratio(right, right + lost, np.nan), wanted, holding),
        "f1": measure(ratio(2 * right, 2 * right + false + lost, np.nan), wanted + found, holding),
        "false_alarms": measure(false / each, trade.pictures, trade.pictures, event=1.0),
    }
    if judging.costs:
        cost = (judging.costs.fn * lost + judging.costs.fp * false) / each
        dearest = max(judging.costs.fn, judging.costs.fp)
        figures["cost"] = measure(cost, trade.pictures, trade.pictures, event=dearest)
    return figures
