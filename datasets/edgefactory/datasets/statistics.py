"""What is in a snapshot, counted: pictures, labels, sizes, origins, states, sources, time."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Final, Literal

from edgefactory.datasets.documents import Box, Item, Label, Progress, Task
from edgefactory.datasets.manifest import read_header, snapshot_digest, stream_items

Size = Literal["small", "medium", "large"]
SIZES: Final[dict[Size, float]] = {"small": 32.0**2, "medium": 96.0**2, "large": inf}
"""The area in square pixels below which a box has that size; COCO's."""

_REPORT_EVERY: Final = 16_384  # pictures


@dataclass(slots=True)
class SplitCounts:
    """One split, in pictures. `empty` have no label; `reviewed` were seen whole by a person."""

    pictures: int = 0
    empty: int = 0
    reviewed: int = 0
    labels: int = 0


@dataclass(slots=True)
class ClassCounts:
    """One class in one split, in labels, except for `pictures`."""

    pictures: int = 0
    labels: int = 0
    ignored: int = 0
    states: Counter[str] = field(default_factory=Counter)
    origins: Counter[str] = field(default_factory=Counter)  # human, teacher, imported
    sizes: Counter[Size] = field(default_factory=Counter)  # of boxes


@dataclass(slots=True)
class SourceCounts:
    """One source: its pictures, and when the first and the last of them were taken, in seconds."""

    pictures: int = 0
    first: float = inf
    last: float = -inf


@dataclass(frozen=True, slots=True)
class Statistics:
    """A snapshot in numbers. `bounded` labels carry a bound on their error."""

    name: str
    digest: str
    task: Task
    pictures: int
    labels: int
    bounded: int
    splits: dict[str, SplitCounts]
    classes: dict[str, dict[str, ClassCounts]]  # by class, then split
    sources: dict[str, SourceCounts]


def statistics(folder: Path, progress: Progress | None = None) -> Statistics:
    """Count the snapshot in `folder` in one pass over its manifest.

    Raises `MissingError` when it is not there, `InputError` when it is not a snapshot.
    """
    report = progress or (lambda _done, _total, _text: None)
    header = read_header(folder)
    splits: defaultdict[str, SplitCounts] = defaultdict(SplitCounts)
    classes: dict[str, defaultdict[str, ClassCounts]] = {
        class_: defaultdict(ClassCounts) for class_ in header.classes
    }
    sources: defaultdict[str, SourceCounts] = defaultdict(SourceCounts)
    bounded = 0
    for number, item in enumerate(stream_items(folder)):
        if number % _REPORT_EVERY == 0:
            report(number, 0, "counting pictures")
        _add_picture(splits[item.split], item)
        _add_to_source(sources[item.source], item)
        for class_ in {label.class_ for label in item.labels}:
            classes[class_][item.split].pictures += 1
        for label in item.labels:
            _add_label(classes[label.class_][item.split], label)
            bounded += label.bound is not None
    return Statistics(
        name=header.name,
        digest=snapshot_digest(folder),
        task=header.task,
        pictures=sum(split.pictures for split in splits.values()),
        labels=sum(split.labels for split in splits.values()),
        bounded=bounded,
        splits=dict(splits),
        classes={class_: dict(by_split) for class_, by_split in classes.items()},
        sources=dict(sources),
    )


def _add_picture(counts: SplitCounts, item: Item) -> None:
    counts.pictures += 1
    counts.empty += not item.labels
    counts.reviewed += item.reviewed
    counts.labels += len(item.labels)


def _add_to_source(counts: SourceCounts, item: Item) -> None:
    counts.pictures += 1
    counts.first = min(counts.first, item.captured_at)
    counts.last = max(counts.last, item.captured_at)


def _add_label(counts: ClassCounts, label: Label) -> None:
    counts.labels += 1
    counts.ignored += label.ignore
    counts.states[label.state] += 1
    counts.origins[label.origin.partition(":")[0]] += 1
    if label.box is not None:
        counts.sizes[size_of(label.box)] += 1


def size_of(box: Box) -> Size:
    """Whether a box is small, medium or large, by its area in pixels."""
    area = (box[2] - box[0]) * (box[3] - box[1])
    return next(name for name, below in SIZES.items() if area < below)
