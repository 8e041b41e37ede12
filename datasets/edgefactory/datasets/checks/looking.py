"""The one pass over the pictures: each is decoded once, measured, and shown to the teacher."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgefactory.datasets.checks.agreement import Compared, judged
from edgefactory.datasets.checks.measuring import (
    FEATURES,
    Measured,
    Measures,
    describe,
    measure,
)
from edgefactory.datasets.checks.table import Table, believed
from edgefactory.datasets.documents import Item, Progress
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.snapshot import load_picture
from edgefactory.datasets.teachers import Found, Teacher
from edgefactory.datasets.workers import cores

Pixels = NDArray[np.uint8]

_BATCH: Final = 32  # pictures in memory at a time
_MOST_THREADS: Final = 8


@dataclass(frozen=True, slots=True)
class Looked:
    """What all pictures gave. `features` f16 [m,F] describe the table's labels where classes are
    to be told apart; `compared` holds every picture's labels beside a detecting teacher's boxes,
    `probabilities` f32 [n,C] what a classifying one says."""

    measures: Measures
    features: NDArray[np.float16] | None
    compared: tuple[Compared, ...]
    probabilities: NDArray[np.float32] | None


class _View(NamedTuple):
    item: Item
    pixels: Pixels
    measured: Measured
    features: list[NDArray[np.float32]]


class Known:
    """A teacher's answers in the snapshot's classes; what the snapshot lacks is left out."""

    def __init__(self, teacher: Teacher, table: Table) -> None:
        """Raises `InputError` when the teacher cannot judge this snapshot."""
        header = table.header
        if teacher.task != header.task:
            raise InputError(
                f"the teacher does {teacher.task}, the snapshot is for {header.task}: "
                "give a teacher of that task"
            )
        names = {name: index for index, name in enumerate(header.classes)}
        self._map = np.asarray([names.get(name, -1) for name in teacher.classes], np.int64)
        self.classes = {name: names[name] for name in teacher.classes if name in names}
        missing = len(names) - len(self.classes)
        if not self.classes or (missing and header.task == "classification"):
            raise InputError(
                f"the teacher knows {', '.join(teacher.classes)[:100]}; the snapshot's classes are "
                f"{', '.join(header.classes)[:100]}: give a teacher that knows them"
            )
        self._count = len(names)
        self._teacher = teacher

    def detections(self, pictures: list[Pixels]) -> list[Found]:
        """Detections whose classes index the snapshot's."""
        return [self._known(found) for found in self._teacher.predict(pictures)]

    def _known(self, found: Found) -> Found:
        classes = self._map[found.classes]
        keep = classes >= 0
        return Found(found.boxes[keep], found.scores[keep], classes[keep])

    def probabilities(self, pictures: list[Pixels]) -> NDArray[np.float32]:
        """Probabilities [n,C] of the snapshot's classes."""
        rows = np.zeros((len(pictures), self._count), np.float32)
        for row, found in zip(rows, self._teacher.predict(pictures), strict=True):
            if found.probabilities is None:
                raise InputError("the teacher gives no probabilities: it cannot judge labels")
            np.add.at(row, self._map[self._map >= 0], found.probabilities[self._map >= 0])
        return rows


def look(
    folder: Path, table: Table, items: Iterable[Item], known: Known | None, progress: Progress
) -> Looked:
    """Look at every picture of the snapshot in `folder`; `items` are those of `table`, in order.

    Raises `InputError` or `MissingError` for a picture that is not what the manifest says.
    """
    header, count = table.header, len(table)
    measures = Measures.empty(count)
    detecting = header.task == "detection"
    telling = len(header.classes) > 1 and (detecting or known is None)
    features = np.zeros((len(table.label_item), FEATURES), np.float16) if telling else None
    compared: list[Compared] = []
    answers: list[NDArray[np.float32]] = []
    done, row = 0, 0
    for views in _views(folder, items, telling):
        for index, view in enumerate(views, start=done):
            measures.put(index, view.measured)
            for described in view.features:
                assert features is not None
                features[row] = described
                row += 1
        pictures = [view.pixels for view in views]
        if known is not None and detecting:
            found = known.detections(pictures)
            compared += [
                judged(done + place, view.item, one, known.classes)
                for place, (view, one) in enumerate(zip(views, found, strict=True))
            ]
        elif known is not None:
            answers.append(known.probabilities(pictures))
        done += len(views)
        progress(done, count, "looking at pictures")
    probabilities = np.concatenate(answers) if answers else None
    return Looked(measures, features, tuple(compared), probabilities)


def _views(folder: Path, items: Iterable[Item], telling: bool) -> Iterator[list[_View]]:
    waiting = iter(items)
    threads = min(cores(), _MOST_THREADS)
    with ThreadPoolExecutor(threads) as pool:
        while batch := list(islice(waiting, _BATCH)):
            yield list(pool.map(lambda item: _view(folder, item, telling), batch))


def _view(folder: Path, item: Item, telling: bool) -> _View:
    pixels = load_picture(folder, item)
    told = [label for label in item.labels if believed(label)] if telling else []
    features = [describe(pixels if t.box is None else _crop(pixels, t.box)) for t in told]
    return _View(item, pixels, measure(pixels), features)


def _crop(pixels: Pixels, box: tuple[float, float, float, float]) -> Pixels:
    x0, y0, x1, y1 = box
    height, width = pixels.shape[:2]
    left, top = min(int(x0), width - 1), min(int(y0), height - 1)
    return pixels[top : max(top + 1, round(y1)), left : max(left + 1, round(x1))]
