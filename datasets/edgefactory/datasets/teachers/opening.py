"""From a teacher's description to a teacher that answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.fetching import fetch_faces, fetch_teacher, fetch_text
from edgefactory.datasets.teachers.faces import open_faces
from edgefactory.datasets.teachers.found import Teacher
from edgefactory.datasets.teachers.fusion import Fused
from edgefactory.datasets.teachers.graphs import open_graph
from edgefactory.datasets.teachers.open_vocabulary import open_vocabulary
from edgefactory.datasets.teachers.person import open_person
from edgefactory.datasets.teachers.release import open_release
from edgefactory.datasets.teachers.spec import EngineSettings, Kind, TeacherSpec
from edgefactory.datasets.teachers.text import open_text
from edgefactory.datasets.teachers.torchvision_models import open_torchvision
from edgefactory.datasets.teachers.views import Augmented, Tiled

Opener = Callable[[TeacherSpec, Path, EngineSettings], Teacher]


def fetched(spec: TeacherSpec) -> TeacherSpec:
    """`spec` with the file that it needs, fetched now where the kind can: once, before workers.

    Raises `MissingError` when it can't be had or is not there.
    """
    local = None if spec.file is None else Path(spec.file)
    if spec.kind in _FETCHERS:
        local = _FETCHERS[spec.kind](None, local)
    if local is None:
        raise InputError(f"teacher {spec.kind}: expected a file, as `{spec.kind}:FILE`")
    if not local.exists():
        raise MissingError(f"teacher {spec.kind}: {local} is not there")
    return msgspec.structs.replace(spec, file=str(local))


def open_teacher(spec: TeacherSpec, engine: EngineSettings | None = None) -> Teacher:
    """Load the teacher of `spec` to run on `engine`, with its views.

    Raises `InputError` when its files or options are not what the kind needs, `MissingError`
    when a file, a package or an engine is not here.
    """
    ready = fetched(spec)
    assert ready.file is not None
    views = spec.views
    teacher = _OPENERS[spec.kind](ready, Path(ready.file), engine or EngineSettings())
    if views.tile is not None and spec.kind != "person":  # which has tiles of its own
        teacher = Tiled(teacher, views.tile, views.stride, views.whole)
    if views.mirror or views.scales != (1.0,):
        teacher = Augmented(teacher, views.mirror, views.scales, spec.min_score)
    return teacher


def open_teachers(specs: Sequence[TeacherSpec], engine: EngineSettings | None = None) -> Teacher:
    """One teacher of all `specs`: several are fused by their weights; errors as `open_teacher`."""
    if not specs:
        raise InputError("no teacher is given; name one, as `person` or `onnx:FILE`")
    opened = tuple(open_teacher(spec, engine) for spec in specs)
    if len(opened) == 1:
        return opened[0]
    weights = tuple(spec.weight for spec in specs)
    return Fused(opened, weights, min(spec.min_score for spec in specs))


_FETCHERS: Final[dict[Kind, Callable[[Path | None, Path | None], Path]]] = {
    "person": fetch_teacher,
    "face": fetch_faces,
    "text": fetch_text,
}
_OPENERS: Final[dict[Kind, Opener]] = {
    "person": open_person,
    "face": open_faces,
    "text": open_text,
    "onnx": open_graph,
    "openvino": open_graph,
    "torchvision": open_torchvision,
    "release": open_release,
    "open-vocabulary": open_vocabulary,
}
