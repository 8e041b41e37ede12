"""What a teacher is and what it says about a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgefactory.datasets.documents import Task
from edgefactory.datasets.errors import InputError

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Found:
    """What a teacher says about one picture, best first.

    `boxes` f32 [n,4] xyxy in pixels of the picture and inside of it, each with an area; `scores`
    f32 [n], 0..1; `classes` i64 [n], indices into the teacher's `classes`. A classifier gives no
    box, one score and class (its best), and `probabilities` f32 [C] over its classes.
    """

    boxes: Floats
    scores: Floats
    classes: Ints
    probabilities: Floats | None = None


class Teacher(Protocol):
    """A model that labels pictures; all kinds of `open_teacher` are one."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names that `Found.classes` and `Found.probabilities` index."""

    @property
    def task(self) -> Task:
        """What the teacher does: "detection" or "classification"."""

    @property
    def digest(self) -> str:
        """SHA-256 of the model's file, or over those of its files: for the labels' origin.

        How the model looks (tiles, mirror images, thresholds) is not in it: see `TeacherSpec`.
        """

    def predict(self, pictures: Sequence[Pixels]) -> list[Found]:
        """What is in each of `pictures`, uint8 [H,W,3] RGB of any sizes, in their order.

        Raises `InputError` when a picture is of another kind or the model fails on it.
        """


def detected(boxes: Floats, scores: Floats, classes: Ints, size: tuple[int, int]) -> Found:
    """Detections in a picture of `size` (width, height): clipped to it, best first.

    Boxes that keep no area are dropped, and so are those whose numbers are not finite.
    """
    finite = np.isfinite(boxes).all(axis=1) & np.isfinite(scores)
    limit = np.asarray([*size, *size], np.float32)
    inside = np.clip(np.where(finite[:, None], boxes, 0), 0, limit).astype(np.float32)
    keep = finite & (inside[:, 2:] > inside[:, :2]).all(axis=1)
    inside, values, kinds = inside[keep], scores[keep], classes[keep]
    order = np.argsort(-values, kind="stable")
    return Found(
        inside[order],
        np.clip(values[order], 0, 1).astype(np.float32),
        kinds[order].astype(np.int64),
    )


def classified(probabilities: Floats) -> Found:
    """The answer of a classifier that gives `probabilities` [C]."""
    best = int(np.argmax(probabilities))
    return Found(
        np.zeros((0, 4), np.float32),
        np.asarray([probabilities[best]], np.float32),
        np.asarray([best], np.int64),
        probabilities.astype(np.float32),
    )


def check_picture(picture: Pixels) -> None:
    """Raise `InputError` unless `picture` is uint8 [H,W,3] with pixels in it."""
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise InputError(f"picture {picture.dtype} {list(picture.shape)}: expected uint8 [H,W,3]")
