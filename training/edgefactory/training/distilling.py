"""A teacher's soft answers about the training pictures, asked for once and kept beside the run."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import torch

from edgefactory.datasets import Progress, Snapshot, load_picture
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.files import write_file
from edgefactory.datasets.teachers import Teacher, open_teacher, parse_teacher
from edgefactory.training.examples import Examples
from edgefactory.training.recipe import Recipe
from edgefactory.training.targets import ClassTargets

_ANSWERS: Final = "soft.npy"
_NAMELESS: Final = ("onnx", "openvino", "torchvision")  # kinds whose files name no classes
_AT_ONCE: Final = 16  # pictures that the teacher is given in one call

Floats = npt.NDArray[np.float32]


def with_soft_answers(
    learned: Examples,
    data: tuple[Path, Snapshot],
    recipe: Recipe,
    scratch: Path | None,
    progress: Progress | None,
) -> Examples:
    """The examples with the class probabilities that the recipe's teacher gives each picture.

    `data` is the snapshot's folder and the snapshot. Raises InputError when the teacher is no
    classifier or lacks one of the snapshot's classes, and what opening a teacher raises.
    """
    targets, (folder, snapshot) = learned.targets, data
    assert isinstance(targets, ClassTargets)
    assert recipe.distil.teacher is not None
    kept = scratch / _ANSWERS if scratch else None
    shape = (len(learned), len(snapshot.classes))
    if kept is not None and kept.is_file():
        soft: Floats = np.load(kept)
        if soft.shape == shape:
            return replace(learned, targets=replace(targets, soft=torch.from_numpy(soft)))
    spec = parse_teacher(recipe.distil.teacher)
    if spec.kind in _NAMELESS:
        spec = msgspec.structs.replace(spec, classes=snapshot.classes)
    teacher = open_teacher(spec)
    columns = _columns(teacher, snapshot)
    items = snapshot.split("train")
    soft = np.zeros(shape, np.float32)
    for at in range(0, len(items), _AT_ONCE):
        pictures = [load_picture(folder, item) for item in items[at : at + _AT_ONCE]]
        for row, found in enumerate(teacher.predict(pictures), start=at):
            assert found.probabilities is not None
            chosen = found.probabilities[columns]
            soft[row] = chosen / max(float(chosen.sum()), 1e-6)
        if progress:
            progress(min(at + _AT_ONCE, len(items)), len(items), "asking the teacher")
    if kept is not None:
        stream = io.BytesIO()
        np.save(stream, soft)
        write_file(kept, stream.getvalue())
    return replace(learned, targets=replace(targets, soft=torch.from_numpy(soft)))


def _columns(teacher: Teacher, snapshot: Snapshot) -> list[int]:
    """Where the teacher has the snapshot's classes."""
    if teacher.task != "classification":
        raise InputError(f"distil.teacher is a teacher for {teacher.task}; expected a classifier")
    unknown = [name for name in snapshot.classes if name not in teacher.classes]
    if unknown:
        raise InputError(
            f"distil.teacher does not know the class {unknown[0]!r}; it knows "
            f"{', '.join(teacher.classes[:8])}"
        )
    return [teacher.classes.index(name) for name in snapshot.classes]
