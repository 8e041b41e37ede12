"""The score from which a detection counts: where F1 on the validation split is best."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_runtime.contract import OperatingPoint, iou_matrix
from edgefactory.training.metrics import Detections, Truth

_IOU = 0.5
_DEFAULT = 0.3  # where there is nothing to choose by


def choose(answers: Sequence[Detections], truths: Sequence[Truth]) -> OperatingPoint:
    """The threshold of the best F1 at IoU 0.5, halfway to the next lower score.

    Boxes that lie on what is to be ignored count neither way.
    """
    verdicts = [
        verdict
        for answer, truth in zip(answers, truths, strict=True)
        for verdict in _verdicts(answer, truth)
    ]
    wanted = int(sum((~truth.ignore).sum() for truth in truths))
    if not verdicts or not wanted:
        return OperatingPoint(_DEFAULT, "a default: the validation split shows nothing to find")
    verdicts.sort(reverse=True)
    scores = np.asarray([score for score, _ in verdicts])
    hits = np.cumsum([hit for _, hit in verdicts])
    f1 = 2 * hits / (np.arange(1, len(hits) + 1) + wanted)
    best = int(f1.argmax())
    lower = scores[best + 1] if best + 1 < len(scores) else 0.0
    threshold = round(float((scores[best] + lower) / 2), 4)
    return OperatingPoint(
        threshold, f"best F1 ({f1[best]:.3f}) on {len(truths)} pictures of the validation split"
    )


def _verdicts(answer: Detections, truth: Truth) -> list[tuple[float, bool]]:
    """(score, hit) of each detection that counts; greedy by falling score, so for any threshold."""
    verdicts: list[tuple[float, bool]] = []
    overlap = np.where(
        answer.labels[:, None] == truth.labels[None, :],
        iou_matrix(answer.boxes.astype(np.float32), truth.boxes.astype(np.float32)),
        0.0,
    )
    free = ~truth.ignore
    for row in np.argsort(-answer.scores, kind="stable"):
        candidates = np.where(free, overlap[row], 0.0)
        best = int(candidates.argmax()) if candidates.size else -1
        if best >= 0 and candidates[best] >= _IOU:
            free[best] = False
            verdicts.append((float(answer.scores[row]), True))
        elif not (overlap[row][truth.ignore] > 0).any():
            verdicts.append((float(answer.scores[row]), False))
    return verdicts
