"""From a snapshot to the pictures of it that people should look at next.

First those of a calibration, if asked for: random, in a fixed order. Then pictures of the train
split that no person has seen, the most useful first: of those with the most to be said for them,
the ones that stand for many others and are unlike each other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgefactory.datasets.asking.choosing import choose
from edgefactory.datasets.asking.embedding import Embedding, open_embedding
from edgefactory.datasets.asking.evidence import Evidence, add_motion, evidence
from edgefactory.datasets.asking.opinions import opinions
from edgefactory.datasets.asking.questions import Question, Questions
from edgefactory.datasets.asking.signals import reasons, worth
from edgefactory.datasets.bounds import calibration_order
from edgefactory.datasets.documents import Item, Progress, Snapshot
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.manifest import read_manifest, snapshot_digest
from edgefactory.datasets.snapshot import load_picture
from edgefactory.datasets.teachers import TeacherSpec

COMPARED: Final = 4096  # pictures that are compared with each other: memory is their square


@dataclass(frozen=True, slots=True)
class AskSettings:
    """How many pictures, and what they are judged by."""

    count: int = 50  # useful pictures
    calibration: int = 0  # random ones, ahead of them
    seed: int = 0  # of the calibration's order, as in `BoundSettings`
    embedding: str | None = None  # see `open_embedding`
    teachers: tuple[TeacherSpec, ...] = ()  # heard in addition to what the labels say

    def __post_init__(self) -> None:
        if self.count < 0 or self.calibration < 0 or self.count + self.calibration == 0:
            raise InputError("label next: ask for one picture at least, by --count N")


def next_questions(
    settings: AskSettings, folder: Path, progress: Progress | None = None
) -> Questions:
    """The pictures of the snapshot in `folder` to ask about next.

    They are `settings.count` useful ones, or fewer where the rest is nearly the same as what is
    asked about or was seen. Raises `InputError` when nothing is left to ask about or a picture, a
    teacher or the embedding is not what it must be, `MissingError` when one is not there.
    """
    report = progress or (lambda _done, _total, _text: None)
    embedding = open_embedding(settings.embedding)
    snapshot = read_manifest(folder)
    drawn = _drawn(settings, snapshot)
    asked = [Question(item_id, ("calibration",)) for item_id in drawn]
    seen = [item for item in snapshot.items if is_seen(item) or item.id in drawn]
    known = {item.id for item in seen}
    pool = [item for item in snapshot.items if item.split == "train" and item.id not in known]
    if not pool and not drawn:
        raise InputError(f"{folder}: people have seen every picture of the train split")
    if pool and settings.count:
        others = opinions(settings.teachers, snapshot, folder, pool, report)
        found = evidence(snapshot, pool, others)
        if snapshot.task == "detection":
            add_motion(found, snapshot, folder, report)
        looks = _Looks(folder, embedding, report)
        asked += _useful(settings.count, pool, seen, found, looks)
    return Questions("next/1", snapshot_digest(folder), embedding.name, tuple(asked))


def is_seen(item: Item) -> bool:
    """Whether people, or the picture's source, have said what is in it."""
    said = {label.origin.partition(":")[0] for label in item.labels}
    return item.reviewed or (bool(said) and "teacher" not in said)


def _drawn(settings: AskSettings, snapshot: Snapshot) -> dict[str, None]:
    """The calibration: the first pictures of the order that nobody has reviewed, in order."""
    done = {item.id for item in snapshot.items if item.reviewed}
    order = calibration_order((item.id for item in snapshot.items), settings.seed)
    return dict.fromkeys([x for x in order if x not in done][: settings.calibration])


@dataclass(frozen=True, slots=True)
class _Looks:
    """How pictures are turned into embeddings."""

    folder: Path
    embedding: Embedding
    report: Progress

    def __call__(self, items: Sequence[Item], what: str) -> NDArray[np.float32]:
        """f32 [n,D] of `items`, at least one."""
        rows = []
        for item in items:
            rows.append(self.embedding.describe(load_picture(self.folder, item)))
            self.report(len(rows), len(items), what)
        return np.stack(rows)


def _useful(
    count: int, pool: Sequence[Item], seen: Sequence[Item], found: Evidence, looks: _Looks
) -> list[Question]:
    """Of `pool`, at most `count` pictures, the most useful first."""
    values = {item.id: worth(found[item.id]) for item in pool}
    pool = sorted(pool, key=lambda item: (-values[item.id], _shuffled(item)))[:COMPARED]
    known = sorted(seen, key=_shuffled)[:COMPARED]
    rows = looks(pool, "comparing pictures")
    before = looks(known, "comparing with what was seen") if known else rows[:0]
    worths = np.asarray([values[item.id] for item in pool], np.float32)
    return [
        Question(pool[choice.index].id, reasons(found[pool[choice.index].id]), choice.gain)
        for choice in choose(rows, worths, before, count)
    ]


def _shuffled(item: Item) -> bytes:
    """A key that orders pictures as if at random, always the same."""
    return hashlib.sha256(b"next" + item.id.encode()).digest()
