"""Two models on the same pictures: how good each is, how they differ in pairs, and what they take.

Figures are those of `evaluate`. Times are processor time from a decoded picture to decisions in its
own pixels, everything included (tiles, resizing, merging), one thread each, in turns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from edgefactory.compress.answers import Answer
from edgefactory.compress.models import Model
from edgefactory.compress.timing import Timed, interleave, ratio
from edgefactory.datasets import Item, Progress, Snapshot, load_picture, read_snapshot
from edgefactory.datasets.errors import InputError
from edgefactory.training import (
    Detections,
    accuracy,
    accuracy_bootstrap,
    accuracy_difference,
    ap50,
    ap50_bootstrap,
    ap50_difference,
)
from edgefactory.training import evaluation as ev

UInt8 = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

TIMED: Final = 4  # pictures
_ROUNDS: Final = 5


class Figure(Struct, frozen=True, forbid_unknown_fields=True):
    """A value and its 95% interval, where one was computed."""

    value: float
    lo: float | None = None
    hi: float | None = None


class Side(Struct, frozen=True, forbid_unknown_fields=True):
    """One of the two: its figures by name, and processor milliseconds a picture."""

    name: str
    figures: dict[str, Figure]
    frame_ms: float


class Comparison(Struct, frozen=True, forbid_unknown_fields=True):
    """`difference` is first less second in `metric`, in pairs; `time_ratio` second over first."""

    metric: str
    pictures: int
    labels: str
    first: Side
    second: Side
    difference: Figure
    time_ratio: Figure


@dataclass(frozen=True)
class _Asked:
    """What both said about the same pictures."""

    items: Sequence[Item]
    first: Sequence[Answer]
    second: Sequence[Answer]
    numbers: dict[str, int]
    draws: int
    seed: int


def compare(
    first: Model, second: Model, folder: Path, progress: Progress, *, draws: int = 1000
) -> Comparison:
    """Judge both on the test split of the snapshot `folder`, and time them.

    Both name the same classes in the same order. Raises InputError for an empty test split, other
    classes, or a task without a paired figure (embedding).
    """
    data = read_snapshot(folder)
    items = [i for i in data.split("test") if data.task == "detection" or ev.has_class(i)]
    if not items:
        raise InputError(f"{folder} has no labelled test split to compare on")
    _require_alike(first, second, data)
    asked = _Asked(
        items,
        _answers(first, folder, items, progress),
        _answers(second, folder, items, progress),
        {name: number for number, name in enumerate(first.about.classes)},
        draws,
        0,
    )
    judged = _boxes if data.task == "detection" else _classes
    metric, figures, difference = judged(asked)
    times, quicker = _times(first, second, folder, items, progress)
    return Comparison(
        metric=metric,
        pictures=len(items),
        labels=data.test_labels,
        first=Side(first.about.name, figures[0], times[0]),
        second=Side(second.about.name, figures[1], times[1]),
        difference=difference,
        time_ratio=quicker,
    )


def _require_alike(first: Model, second: Model, data: Snapshot) -> None:
    if first.about.task == "embedding" or first.about.task != second.about.task:
        raise InputError(
            f"{first.about.name} is for {first.about.task}, {second.about.name} for "
            f"{second.about.task}; only two detectors or two classifiers can be compared"
        )
    if not tuple(data.classes) == first.about.classes == second.about.classes:
        raise InputError(
            f"{first.about.name} and {second.about.name} must name the classes of the snapshot in "
            f"its order: {', '.join(data.classes[:8])}"
        )


def _answers(model: Model, folder: Path, items: Sequence[Item], progress: Progress) -> list[Answer]:
    found = []
    for done, item in enumerate(items, start=1):
        progress(done, len(items), f"asking {model.about.name}")
        found.append(model.answer(load_picture(folder, item)))
    return found


def _boxes(asked: _Asked) -> tuple[str, list[dict[str, Figure]], Figure]:
    truths = [ev.truth_of(item, asked.numbers) for item in asked.items]
    both = [[a for a in side if isinstance(a, Detections)] for side in (asked.first, asked.second)]
    figures = []
    for side in both:
        bounds = ap50_bootstrap(side, truths, asked.draws, asked.seed)
        values = {"ap50": Figure(ap50(side, truths), bounds.lo, bounds.hi)}
        values["ap75"] = Figure(ap50(side, truths, 0.75))
        figures.append(values)
    found = ap50_difference(both[0], both[1], truths, asked.draws, asked.seed)
    return "ap50", figures, Figure(found.value, found.lo, found.hi)


def _classes(asked: _Asked) -> tuple[str, list[dict[str, Figure]], Figure]:
    targets = np.asarray([ev.class_of(item, asked.numbers) for item in asked.items], np.int64)
    tables = [np.asarray(side, np.float64) for side in (asked.first, asked.second)]
    figures = []
    for table in tables:
        bounds = accuracy_bootstrap(table, targets, asked.draws, asked.seed)
        figures.append({"accuracy": Figure(accuracy(table, targets), bounds.lo, bounds.hi)})
    found = accuracy_difference(tables[0], tables[1], targets, asked.draws, asked.seed)
    return "accuracy", figures, Figure(found.value, found.lo, found.hi)


def _times(
    first: Model, second: Model, folder: Path, items: Sequence[Item], progress: Progress
) -> tuple[tuple[float, float], Figure]:
    chosen = [items[i * len(items) // TIMED] for i in range(min(TIMED, len(items)))]
    pictures = [load_picture(folder, item) for item in chosen]
    taken = interleave(
        {
            "first": Timed(tuple(_call(first, picture) for picture in pictures), 10),
            "second": Timed(tuple(_call(second, picture) for picture in pictures)),
        },
        _ROUNDS,
        lambda done: progress(done, _ROUNDS, "timing both"),
    )
    quick, slow = taken["first"].cpu, taken["second"].cpu
    value, lo, hi = ratio(slow, quick, 0)
    return (float(np.median(quick)), float(np.median(slow))), Figure(value, lo, hi)


def _call(model: Model, picture: UInt8) -> Callable[[], object]:
    return lambda: model.answer(picture)
