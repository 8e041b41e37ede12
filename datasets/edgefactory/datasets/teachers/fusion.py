"""Several teachers as one: weighted boxes fusion (Solovyev, Wang, Gabruseva 2021), mean classes.

Boxes of one class that overlap form a cluster; its box is their mean weighted by score and by the
teacher's weight. Its score is the weighted mean, over the teachers that know the class, of each
one's best score in the cluster, 0 where it saw nothing. So a box that all see keeps its score, a
box that one of two sees keeps half, and a class that one teacher alone knows is not changed.
(The paper counts boxes instead of teachers, so there a teacher that sees twice counts twice.)
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edge_runtime.contract import iou_matrix
from edgefactory.datasets.documents import Task
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.teachers.found import Floats, Found, Ints, Pixels, Teacher, classified

_IOU: Final = 0.55  # the paper's


@dataclass(frozen=True)
class Fused:
    """Several teachers of one task as one; a `Teacher`. Its classes are all that any knows."""

    teachers: tuple[Teacher, ...]
    weights: tuple[float, ...]  # one a teacher
    min_score: float

    def __post_init__(self) -> None:
        if len({teacher.task for teacher in self.teachers}) != 1:
            raise InputError("detectors and classifiers cannot be fused into one teacher")
        if self.task == "classification":
            for teacher in self.teachers:
                if set(teacher.classes) != set(self.classes):
                    raise InputError("classifiers can be fused only if they have the same classes")

    @property
    def classes(self) -> tuple[str, ...]:
        """See `Teacher.classes`: the first teacher's, then what the others add."""
        return tuple(dict.fromkeys(name for t in self.teachers for name in t.classes))

    @property
    def task(self) -> Task:
        """See `Teacher.task`."""
        return self.teachers[0].task

    @property
    def digest(self) -> str:
        """See `Teacher.digest`: SHA-256 over the teachers' digests and weights."""
        pairs = zip(self.teachers, self.weights, strict=True)
        lines = "".join(f"{teacher.digest} {weight:g}\n" for teacher, weight in pairs)
        return hashlib.sha256(lines.encode()).hexdigest()

    def predict(self, pictures: Sequence[Pixels]) -> list[Found]:
        """See `Teacher.predict`."""
        classes = self.classes
        indices = [[classes.index(name) for name in t.classes] for t in self.teachers]
        weights = np.zeros((len(self.teachers), len(classes)), np.float32)
        for row, index, weight in zip(weights, indices, self.weights, strict=True):
            row[index] = weight
        answers = [
            [_renumbered(found, np.asarray(index, np.int64)) for found in teacher.predict(pictures)]
            for teacher, index in zip(self.teachers, indices, strict=True)
        ]
        return [fused(list(finds), weights, self.min_score) for finds in zip(*answers, strict=True)]


def _renumbered(found: Found, index: Ints) -> Found:
    """`found` with class i called `index[i]`."""
    if found.probabilities is None:
        return Found(found.boxes, found.scores, index[found.classes])
    probabilities = np.zeros_like(found.probabilities)
    probabilities[index] = found.probabilities
    return classified(probabilities)


def fused(finds: Sequence[Found], weights: Floats, min_score: float) -> Found:
    """What several looks at one picture say together.

    `weights` [looks, classes] are 0 where a look does not know a class. Boxes whose fused score
    is under `min_score` are dropped.
    """
    shares = [found.probabilities for found in finds if found.probabilities is not None]
    if len(shares) == len(finds):
        return classified(np.average(np.stack(shares), axis=0, weights=weights[:, 0]))
    source = np.repeat(np.arange(len(finds)), [len(found.scores) for found in finds])
    boxes = np.concatenate([found.boxes for found in finds])
    scores = np.concatenate([found.scores for found in finds])
    kinds = np.concatenate([found.classes for found in finds])
    rows: list[tuple[Floats, float, int]] = []
    for kind in np.unique(kinds):
        chosen = np.flatnonzero(kinds == kind)
        weight = weights[:, kind]
        members = clusters(boxes[chosen], scores[chosen] * weight[source[chosen]])
        for index in (chosen[member] for member in members):
            box, score = _together(boxes[index], scores[index], source[index], weight)
            rows.append((box, score, int(kind)))
    rows = sorted((row for row in rows if row[1] >= min_score), key=lambda row: -row[1])
    return Found(
        np.asarray([box for box, _, _ in rows], np.float32).reshape(-1, 4),
        np.asarray([score for _, score, _ in rows], np.float32),
        np.asarray([kind for _, _, kind in rows], np.int64),
    )


def clusters(boxes: Floats, strengths: Floats) -> list[list[int]]:
    """Which of `boxes` [n,4] belong together: greedily, strongest first, by the cluster's mean."""
    members: list[list[int]] = []
    means: Floats = np.zeros((0, 4), np.float32)
    for i in np.argsort(-strengths, kind="stable").tolist():
        overlap = iou_matrix(boxes[i : i + 1], means)[0] if members else np.zeros(0)
        best = int(overlap.argmax()) if overlap.size else -1
        if best >= 0 and overlap[best] > _IOU:
            members[best].append(i)
            means[best] = _mean(boxes[members[best]], strengths[members[best]])
        else:
            members.append([i])
            means = np.concatenate([means, boxes[i : i + 1]])
    return members


def _together(boxes: Floats, scores: Floats, source: Ints, weight: Floats) -> tuple[Floats, float]:
    """The box and the score of one cluster; `source` says which look found each box."""
    best = np.zeros(len(weight), np.float32)
    np.maximum.at(best, source, scores)
    score = float((best * weight).sum() / weight.sum())
    return _mean(boxes, scores * weight[source]), min(score, 1.0)


def _mean(boxes: Floats, strengths: Floats) -> Floats:
    """The mean box, weighted by strengths; of boxes without any strength, the first."""
    if strengths.sum() <= 0:
        return np.asarray(boxes[0], np.float32)
    return np.asarray(np.average(boxes, axis=0, weights=strengths), np.float32)
