"""Held-out pictures with what the teacher and what the specialist say about each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from edgefactory.compress.answers import Answer
from edgefactory.compress.models import Model
from edgefactory.datasets import Item, Progress, Snapshot, load_picture, read_snapshot
from edgefactory.datasets.documents import Box
from edgefactory.pipelines.shots import Kinded, Shot, shot
from edgefactory.training import Detections
from edgefactory.training import evaluation as ev
from edgefactory.training.evaluation.matching import IGNORED, assign, coco_iou
from edgefactory.training.metrics import Floats, Truth

MOST: Final = 4  # pictures with boxes, each shown twice
MOST_CLASSES: Final = 24  # pictures of one class each
_ASKED: Final = 200  # pictures that are looked through for those where the two differ
_IOU: Final = 0.5


@dataclass(frozen=True)
class Pair:
    """A picture as each of the two sees it; one shot where they say a class each."""

    shots: tuple[Shot, ...]
    item: str
    says: str


def pairs(specialist: Model, teacher: Model, folder: Path, progress: Progress) -> list[Pair]:
    """Some of the test split: spread over it, or for classes where one of the two is wrong."""
    data = read_snapshot(folder)
    items = [item for item in data.split("test") if any(not label.ignore for label in item.labels)]
    detection = data.task == "detection"
    chosen = _spread(items, MOST if detection else _ASKED)
    make = _boxes if detection else _classes
    made = []
    for done, item in enumerate(chosen, start=1):
        progress(done, len(chosen), "drawing the page")
        picture = load_picture(folder, item)
        both = teacher.answer(picture), specialist.answer(picture)
        pair = make(folder, data, item, both)
        made += [pair] if pair else []
    return made[: MOST if detection else MOST_CLASSES]


def _spread(items: Sequence[Item], most: int) -> list[Item]:
    count = min(most, len(items))
    return [items[(2 * place + 1) * len(items) // (2 * count)] for place in range(count)]


def _boxes(folder: Path, data: Snapshot, item: Item, both: tuple[Answer, Answer]) -> Pair | None:
    """The surest boxes of each, as many as there are in truth."""
    truth = ev.truth_of(item, ev.numbers(data))
    shots = []
    for answer in both:
        assert isinstance(answer, Detections)
        order = np.argsort(-answer.scores)[: int((~truth.ignore).sum())]
        kept = Detections(answer.boxes[order], answer.scores[order], answer.labels[order])
        shots.append(shot(folder, item, judged(kept, truth), whole=True))
    return Pair(tuple(shots), item.id, "left the teacher, right the specialist")


def judged(found: Detections, truth: Truth) -> list[Kinded]:
    """The boxes as hits and false ones, best first, and what none of them found."""
    overlap = coco_iou(found.boxes, truth.boxes, truth.ignore)
    overlap = np.where(found.labels[:, None] == truth.labels, overlap, 0.0)
    taken = assign(overlap, truth.ignore, truth.ignore, np.array([_IOU]))[0]
    kinds = ["hit" if n >= 0 else "ignore" if n == IGNORED else "false" for n in taken]
    made = [(kind, _box(box)) for kind, box in zip(kinds, found.boxes, strict=True)]
    missed = set(np.flatnonzero(~truth.ignore).tolist()) - set(taken[taken >= 0].tolist())
    return made + [("miss", _box(truth.boxes[number])) for number in sorted(missed)]


def _box(corners: Floats) -> Box:
    x0, y0, x1, y1 = (float(value) for value in corners)
    return x0, y0, x1, y1


def _classes(folder: Path, data: Snapshot, item: Item, both: tuple[Answer, Answer]) -> Pair | None:
    """A picture that one of the two takes for something else."""
    is_ = data.classes[ev.class_of(item, ev.numbers(data))]
    said = []
    for answer in both:
        assert not isinstance(answer, Detections)
        best = int(np.argmax(answer))
        said.append((data.classes[best], float(answer[best])))
    if all(name == is_ for name, _ in said):
        return None
    teacher, specialist = (f"{name} ({sure:.2f})" for name, sure in said)
    says = f"is {is_}: teacher {teacher}, specialist {specialist}"
    return Pair((shot(folder, item, (), whole=True),), item.id, says)
