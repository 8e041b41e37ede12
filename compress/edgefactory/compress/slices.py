"""What each model is worth on parts of the test pictures: classes, sizes, sources, times of day.

By the same code, and so the same figures, as `edgefactory evaluate`; a part that is too small for a
figure has none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, TypeVar

import numpy as np

from edge_runtime.contract import Evidence
from edgefactory.compress.claims import Others, told
from edgefactory.compress.subjects import Figure, Subject
from edgefactory.training import Detections
from edgefactory.training import evaluation as ev

T = TypeVar("T")

_OF_CLASS: Final = "recall"  # the accuracy on the pictures of one class


def slice_evidence(
    on: Others, answers: Mapping[Subject, list[T]], judging: ev.Judging
) -> list[Evidence]:
    """AP50, or accuracy, of each subject on each part that is large enough, with its interval."""
    metric = "ap50" if on.data.task == "detection" else "accuracy"
    return [
        subject.evidence(metric, figure, on.snapshot, part=part)
        for subject, given in answers.items()
        for part, figure in _parts(_evaluated(on, subject, given, judging), metric)
    ]


def _parts(found: ev.Evaluation, metric: str) -> Iterator[tuple[str, Figure]]:
    for part in found.slices[1:]:  # the first is all pictures
        named = _OF_CLASS if metric == "accuracy" and part.by == "class" else metric
        measured = part.figures.get(named)
        if measured is not None and measured.value is not None:
            figure = Figure(measured.value, part.pictures, measured.interval)
            yield f"{part.by}:{part.name}", figure


def _evaluated(on: Others, subject: Subject, given: list[T], judging: ev.Judging) -> ev.Evaluation:
    items = on.data.split("test")
    numbers = {name: number for number, name in enumerate(on.classes)}
    about = ev.Model(
        form="variants",
        name=subject.name,
        task=on.data.task,
        classes=on.classes,
        files_sha256={},
        engine=subject.engine,
        engine_version="",
        precision=subject.precision,
        threads=subject.threads,
    )
    data = ev.Data(on.snapshot, on.data.name, "test", on.data.test_labels, len(items), 0)
    judged, said = ev.Subject(about, data, judging), told(given)
    boxes = [answer for answer in said if isinstance(answer, Detections)]
    if not boxes:
        targets = np.asarray([ev.class_of(item, numbers) for item in items], np.int64)
        guesses = ev.Guesses("test", items, np.asarray(said, np.float64), targets)
        return ev.evaluate_classes(judged, guesses, None)
    truths = [ev.truth_of(item, numbers) for item in items]
    point = ev.Point(on.point.score_threshold, on.point.chosen_by)
    return ev.evaluate_detections(judged, ev.Boxes("test", items, boxes, truths), None, point)
