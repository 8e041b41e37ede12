"""Which of a machine's labels are wrong, by what people said of the same picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.contract import iou_matrix
from edgefactory.datasets.documents import Item, Label

Boxes = NDArray[np.float32]


def is_machines(label: Label) -> bool:
    """Whether a machine said so, and no person has said anything of it."""
    return label.origin.startswith("teacher:") and label.state in ("accepted", "queued")


def wrong_labels(item: Item, iou: float) -> list[bool]:
    """For each of the machine's labels of a reviewed item, in order, whether it is wrong.

    A label of the whole picture is wrong when no person gave the picture that class. A box is
    wrong when it finds no box of its class that people drew: by falling score each takes the free
    one that it overlaps most, if by `iou` at least; of two boxes around one thing the second is
    wrong. On what people marked to be ignored nothing is wrong.
    """
    machines = [label for label in item.labels if is_machines(label)]
    people = [
        label for label in item.labels if not is_machines(label) and label.state != "rejected"
    ]
    verdicts = [False] * len(machines)
    for class_ in {label.class_ for label in machines}:
        mine = [index for index, label in enumerate(machines) if label.class_ == class_]
        mine.sort(key=lambda index: -machines[index].score)
        found = [machines[index] for index in mine]
        true = [label for label in people if label.class_ == class_]
        if machines[mine[0]].box is None:
            there = bool(true) or any(label.ignore and label.box is None for label in people)
            wrong = [not there] * len(mine)
        else:
            wrong = _unmatched(
                _boxes(found),
                _boxes([label for label in true if not label.ignore]),
                _boxes([label for label in true if label.ignore]),
                iou,
            )
        for index, verdict in zip(mine, wrong, strict=True):
            verdicts[index] = verdict
    return verdicts


def _boxes(labels: Sequence[Label]) -> Boxes:
    boxes = [label.box for label in labels if label.box is not None]
    return np.asarray(boxes, np.float32).reshape(-1, 4)


def _unmatched(found: Boxes, true: Boxes, ignored: Boxes, iou: float) -> list[bool]:
    """For each of `found` [n,4], best first: no free box of `true` [m,4], and not ignored."""
    overlaps = iou_matrix(found, true)
    ignore = _covered(found, ignored) >= iou
    wrong = []
    for row, skipped in zip(overlaps, ignore, strict=True):
        best = int(row.argmax()) if row.size else -1
        if best >= 0 and row[best] >= iou:
            overlaps[:, best] = -1  # taken
            wrong.append(False)
        else:
            wrong.append(not skipped)
    return wrong


def _covered(found: Boxes, ignored: Boxes) -> NDArray[np.float32]:
    """The largest share of each of `found` [n,4] that one of `ignored` [m,4] covers: [n]."""
    if not len(ignored):
        return np.zeros(len(found), np.float32)
    low = np.maximum(found[:, None, :2], ignored[None, :, :2])
    high = np.minimum(found[:, None, 2:], ignored[None, :, 2:])
    inside = np.prod(np.clip(high - low, 0, None), axis=2)
    area = np.prod(found[:, 2:] - found[:, :2], axis=1)
    share: NDArray[np.float32] = (inside / np.maximum(area, 1e-9)[:, None]).max(axis=1)
    return share
