"""What the readers of foreign formats find, before pictures are decoded and boxes checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from edge_runtime.contract import Signal
from edgefactory.datasets.documents import Label, Labeller, Split, Task
from edgefactory.datasets.errors import EdgefactoryError, InputError

MAX_CLASS: int = 200  # characters of a class's name, as the manifest has it


@dataclass(frozen=True, slots=True)
class ImportSettings:
    """How foreign data are to be understood, where they leave it open."""

    name: str | None = None  # None: the name of the folder or file
    task: Task = "detection"  # of formats without labels
    classes: tuple[str, ...] | None = None  # None: the format's own, in its order
    annotator: str | None = None  # the person who drew the labels; None: not known
    images: Path | None = None  # where COCO's pictures lie; None: beside or above its file
    drop_bad: bool = False  # leave out what cannot be used, and count it, instead of stopping


@dataclass(frozen=True, slots=True)
class Facts:
    """What only our own files know of a picture: where and when it was taken, and its review."""

    source: str
    captured_at: float
    frame: int | None = None
    reviewed: bool = False


@dataclass(frozen=True, slots=True)
class ForeignPicture:
    """One picture of a foreign data set; `where` names it and its labels in messages.

    It is called `name` in the folder `shelf`, which only sorts pictures by split or class. The
    labels' boxes are xyxy in `unit`, as they were found. `size` is (width, height) as the format
    has it, if it does.
    """

    path: Path
    shelf: str
    name: str
    split: Split
    labels: tuple[Label, ...]
    where: str
    unit: Literal["pixels", "share"] = "pixels"
    size: tuple[int, int] | None = None
    facts: Facts | None = None


@dataclass(frozen=True, slots=True)
class ForeignSet:
    """A foreign data set as its files have it."""

    task: Task
    classes: tuple[str, ...]
    pictures: Sequence[ForeignPicture]
    test_labels: Labeller = "imported"
    truth_sha256: str | None = None
    signal: Signal | None = None


@dataclass(slots=True)
class Tally:
    """Counts what was left out or put right; what is bad stops the import unless it may go."""

    drop_bad: bool = False
    counts: Counter[str] = field(default_factory=Counter)

    def bad(self, kind: str, error: EdgefactoryError) -> None:
        """Count one bad thing of a kind, or raise `error`."""
        if not self.drop_bad:
            raise error
        self.counts[f"{kind} left out"] += 1


def chosen_classes(found: Iterable[str], settings: ImportSettings, where: str) -> tuple[str, ...]:
    """The data set's classes: those asked for, else those found.

    Raises `InputError` for a class that was not asked for, one that is there twice, and a name
    that no manifest can hold.
    """
    own = tuple(found)
    classes = own if settings.classes is None else settings.classes
    for name in own:
        if name not in classes:
            raise InputError(
                f"{where} has the class {name!r}, which is not in --classes: add it there"
            )
    for name in classes:
        if not 1 <= len(name) <= MAX_CLASS or classes.count(name) > 1:
            raise InputError(f"{where}: the class {name!r} is there twice, empty, or too long")
    return classes
