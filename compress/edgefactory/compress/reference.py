"""The release's reference: what the variants saw and said on the pictures they were judged on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edge_runtime.contract import Decisions, OperatingPoint, Reference
from edge_runtime.contract.referring import reference_of
from edge_runtime.contract.sketching import decisions_of
from edgefactory.compress.answers import Answer
from edgefactory.compress.subjects import Subject
from edgefactory.datasets import Item
from edgefactory.training.metrics import Detections

REFERENCE: Final = "reference.json"


@dataclass(frozen=True)
class Seen:
    """Pictures, the figures of the inputs made of them, and how many classes there are."""

    items: Sequence[Item]
    inputs: Sequence[Mapping[str, float]]
    classes: int


def reference_on(
    seen: Seen,
    answers: Mapping[Subject, Sequence[Answer]],
    point: OperatingPoint,
    built_from: Mapping[str, str],
) -> Reference:
    """The reference of `answers`, one a picture. `built_from`: variants that a device builds, each
    with the one that runs the same file here, whose decisions are expected of them."""
    order = sorted(range(len(seen.items)), key=lambda i: _when(seen.items[i]))
    said = {
        subject.name: [decisions_of(_decided(given[i]), point.score_threshold) for i in order]
        for subject, given in answers.items()
    }
    said |= {name: said[runs] for name, runs in built_from.items()}
    return reference_of([seen.inputs[i] for i in order], said, seen.classes)


def _when(item: Item) -> tuple[str, int, float]:
    """By source and time, so that neighbours are neighbours."""
    return item.source, item.frame or 0, item.captured_at or 0.0


def _decided(answer: Answer) -> Decisions:
    if isinstance(answer, Detections):
        order = np.argsort(-answer.scores, kind="stable")
        return Decisions(
            tuple(int(label) for label in answer.labels[order]),
            tuple(float(score) for score in answer.scores[order]),
        )
    best = int(np.argmax(answer))
    return Decisions((best,), (float(answer[best]),))
