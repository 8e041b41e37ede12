"""What teachers say about pictures, for comparison only: nothing of it becomes a label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from edgefactory.datasets.documents import Box, Item, Label, Progress, Snapshot
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.snapshot import load_picture
from edgefactory.datasets.teachers import EngineSettings, Found, Teacher, TeacherSpec, open_teacher
from edgefactory.datasets.workers import cores

Opinion = Mapping[str, tuple[Label, ...]]
"""One teacher's labels by picture id; of a classifier the two best classes, best first."""

_BATCH: Final = 8  # pictures that a teacher is shown at once


def opinions(
    teachers: Sequence[TeacherSpec],
    snapshot: Snapshot,
    folder: Path,
    items: Sequence[Item],
    report: Progress,
) -> list[Opinion]:
    """What each of `teachers` says about each of `items`, which are of the snapshot in `folder`.

    Classes that the snapshot does not know are left out. Raises `InputError` when teacher and
    snapshot do not fit, `MissingError` when a teacher's file or engine is not there.
    """
    engine = EngineSettings(threads=cores())
    said: list[Opinion] = []
    for spec in teachers:
        teacher = open_teacher(spec, engine)
        if teacher.task != snapshot.task or not set(teacher.classes) & set(snapshot.classes):
            raise InputError(
                f"the teacher {spec.kind} does {teacher.task} of {', '.join(teacher.classes[:5])}; "
                f"the snapshot is for {snapshot.task} of {', '.join(snapshot.classes[:5])}"
            )
        found: dict[str, tuple[Label, ...]] = {}
        for start in range(0, len(items), _BATCH):
            batch = items[start : start + _BATCH]
            answers = teacher.predict([load_picture(folder, item) for item in batch])
            for item, answer in zip(batch, answers, strict=True):
                found[item.id] = labels_of(answer, teacher, frozenset(snapshot.classes))
            report(len(found), len(items), f"asking the teacher {spec.kind}")
        said.append(found)
    return said


def labels_of(found: Found, teacher: Teacher, known: frozenset[str]) -> tuple[Label, ...]:
    """A teacher's answer about one picture as labels, those of `known` classes."""
    origin = f"teacher:{teacher.digest}"
    named: list[tuple[str, Box | None, float]]
    if found.probabilities is not None:
        best = np.argsort(-found.probabilities, kind="stable")[:2]
        named = [(teacher.classes[k], None, float(found.probabilities[k])) for k in best]
    else:
        rows = zip(found.classes.tolist(), found.boxes.tolist(), found.scores.tolist(), strict=True)
        named = [(teacher.classes[k], (*box,), score) for k, box, score in rows]
    return tuple(
        Label(name, box, origin, score, "queued") for name, box, score in named if name in known
    )
