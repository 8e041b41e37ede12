"""More than one look at a picture: overlapping tiles, its mirror image, other sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from edgefactory.datasets.documents import Task
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.teacher import TeacherSettings, tiles
from edgefactory.datasets.teachers.found import Found, Pixels, Teacher, check_picture, detected
from edgefactory.datasets.teachers.fusion import fused
from edgefactory.datasets.teachers.geometry import suppress_by_class

_EDGE: Final = 2.0  # pixels from an inner edge of a tile within which a box counts as cut
_IOU: Final = 0.5


@dataclass(frozen=True)
class Tiled:
    """A detector that looks at overlapping tiles, as `TiledTeacher` does; a `Teacher`.

    A box at a tile's inner edge is dropped, since a neighbouring tile sees all of it; what is
    found twice is suppressed within its class. A picture of at most 300 pixels is seen once.
    """

    inner: Teacher
    tile: float  # these three as in TeacherSettings
    stride: float
    whole: bool

    def __post_init__(self) -> None:
        if self.inner.task != "detection":
            raise InputError("tiles are for detectors: this teacher labels whole pictures")

    @property
    def classes(self) -> tuple[str, ...]:
        """See `Teacher.classes`."""
        return self.inner.classes

    @property
    def task(self) -> Task:
        """See `Teacher.task`."""
        return self.inner.task

    @property
    def digest(self) -> str:
        """See `Teacher.digest`: the model's own."""
        return self.inner.digest

    def predict(self, pictures: Sequence[Pixels]) -> list[Found]:
        """See `Teacher.predict`."""
        return [self._look(picture) for picture in pictures]

    def _look(self, picture: Pixels) -> Found:
        check_picture(picture)
        size = (picture.shape[1], picture.shape[0])
        settings = TeacherSettings(tile=self.tile, stride=self.stride, whole=self.whole)
        windows = tiles(*size, settings)
        parts = self.inner.predict([picture[y0:y1, x0:x1] for x0, y0, x1, y1 in windows])
        placed = [_placed(part, window, size) for part, window in zip(parts, windows, strict=True)]
        boxes = np.concatenate([part.boxes for part in placed])
        scores = np.concatenate([part.scores for part in placed])
        kinds = np.concatenate([part.classes for part in placed])
        keep = suppress_by_class(boxes, scores, kinds, _IOU)
        return detected(boxes[keep], scores[keep], kinds[keep], size)


def _placed(part: Found, window: tuple[int, int, int, int], size: tuple[int, int]) -> Found:
    """What was found in a window, in pixels of the picture, without the boxes that it cuts."""
    edges = np.asarray(window, np.float32)
    boxes = part.boxes + np.asarray([*window[:2], *window[:2]], np.float32)
    inner = edges != np.asarray([0, 0, *size], np.float32)
    cut = ((np.abs(boxes - edges) < _EDGE) & inner).any(axis=1)
    return Found(boxes[~cut], part.scores[~cut], part.classes[~cut])


@dataclass(frozen=True)
class Augmented:
    """A teacher that also looks at the mirror image and at other sizes; a `Teacher`.

    What the looks find is fused as several teachers' finds are. Another size changes something
    only for a model that takes a picture in its own size (face, text, graphs of open size).
    """

    inner: Teacher
    mirror: bool
    scales: tuple[float, ...]
    min_score: float

    def __post_init__(self) -> None:
        if not self.scales:
            raise InputError("scales: expected at least one, as 1/1.5")

    @property
    def classes(self) -> tuple[str, ...]:
        """See `Teacher.classes`."""
        return self.inner.classes

    @property
    def task(self) -> Task:
        """See `Teacher.task`."""
        return self.inner.task

    @property
    def digest(self) -> str:
        """See `Teacher.digest`: the model's own."""
        return self.inner.digest

    def predict(self, pictures: Sequence[Pixels]) -> list[Found]:
        """See `Teacher.predict`."""
        looks = [
            self._look(pictures, scale, mirror)
            for scale in self.scales
            for mirror in ((False, True) if self.mirror else (False,))
        ]
        weights = np.ones((len(looks), len(self.classes)), np.float32)
        return [fused(list(finds), weights, self.min_score) for finds in zip(*looks, strict=True)]

    def _look(self, pictures: Sequence[Pixels], scale: float, mirror: bool) -> list[Found]:
        for picture in pictures:
            check_picture(picture)
        seen = [_resized(picture, scale) for picture in pictures]
        if mirror:
            seen = [np.ascontiguousarray(picture[:, ::-1]) for picture in seen]
        found = self.inner.predict(seen)
        return [_restored(f, s, p, mirror) for f, s, p in zip(found, seen, pictures, strict=True)]


def _resized(picture: Pixels, scale: float) -> Pixels:
    if scale == 1:
        return picture
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    image = Image.fromarray(np.ascontiguousarray(picture))
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR))


def _restored(found: Found, seen: Pixels, picture: Pixels, mirror: bool) -> Found:
    """What was found in `seen`, in pixels of `picture`."""
    boxes = found.boxes
    if mirror:
        flipped = seen.shape[1] - boxes
        boxes = np.stack([flipped[:, 2], boxes[:, 1], flipped[:, 0], boxes[:, 3]], axis=1)
    x, y = picture.shape[1] / seen.shape[1], picture.shape[0] / seen.shape[0]
    boxes = (boxes * np.asarray([x, y, x, y], np.float32)).astype(np.float32)
    return Found(boxes, found.scores, found.classes, found.probabilities)
