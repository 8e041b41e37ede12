"""The person teacher: the tiled SSDLite detector, as the line's own stages use it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgefactory.datasets.documents import Task
from edgefactory.datasets.files import file_sha256
from edgefactory.datasets.teacher import TeacherSettings, TiledTeacher
from edgefactory.datasets.teachers.found import Found, Pixels, check_picture, detected
from edgefactory.datasets.teachers.spec import (
    EngineSettings,
    NoOptions,
    TeacherSpec,
    names_of,
    options_of,
)


class PersonTeacher:
    """Finds persons; a `Teacher` around `TiledTeacher`."""

    task: Task = "detection"

    def __init__(self, model: Path, classes: tuple[str, ...], settings: TeacherSettings) -> None:
        """Load the ONNX file of `fetch_teacher`; errors as `TiledTeacher`."""
        self.classes = classes
        self._teacher = TiledTeacher(model, settings)
        self.digest = file_sha256(model, "teacher")

    def predict(self, pictures: Sequence[Pixels]) -> list[Found]:
        """See `Teacher.predict`."""
        return [self._look(picture) for picture in pictures]

    def _look(self, picture: Pixels) -> Found:
        check_picture(picture)
        found = self._teacher.predict(picture)
        kinds = np.zeros(len(found.scores), np.int64)
        return detected(found.boxes, found.scores, kinds, (picture.shape[1], picture.shape[0]))


def open_person(spec: TeacherSpec, path: Path, engine: EngineSettings) -> PersonTeacher:
    """The person teacher of `path`; its tiles are the detector's own."""
    options_of(spec, NoOptions)
    views = spec.views
    settings = TeacherSettings(
        engine=engine.engine,
        precision=engine.precision,
        threads=engine.threads,
        stride=views.stride,
        whole=views.whole,
        min_score=max(spec.min_score, 0.01),
    )
    if views.tile:
        settings = replace(settings, tile=views.tile)
    return PersonTeacher(path, names_of(spec, ("person",)), settings)
