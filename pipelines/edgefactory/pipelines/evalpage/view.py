"""An evaluation as its page shows it: tiles, tables with whiskers, mistakes with pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgefactory.datasets import Item, Progress
from edgefactory.datasets.documents import Box
from edgefactory.pipelines.evalpage import wording
from edgefactory.pipelines.evalpage.table import worst_first
from edgefactory.pipelines.report.axes import Axis, linear
from edgefactory.pipelines.report.tiles import Tile
from edgefactory.pipelines.shots import Shot, shot
from edgefactory.training.evaluation import Confusion, Evaluation, Kind, Measure, Mistake, Slice

MOST_ROWS: Final = 40  # slices of a kind on the page
MOST_LABELS: Final = 24  # of a confusion matrix that is shown whole
MOST_CONFUSIONS: Final = 20  # pairs of a larger one


@dataclass(frozen=True)
class Column:
    """A figure that slices are compared by; its axis holds all intervals, `whole` is that of all
    pictures."""

    key: str
    name: str
    axis: Axis
    whole: float | None


@dataclass(frozen=True)
class Sheet:
    """The slices of one kind that have figures; `left_out` are better ones that are not shown,
    `small` names those that have none."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Slice, ...]
    left_out: int
    small: str


@dataclass(frozen=True)
class Cell:
    """A count of the confusion matrix, and its share of its row."""

    count: int
    share: float
    right: bool


@dataclass(frozen=True)
class Matrix:
    """The confusion matrix as rows of cells; or, of a large one, its largest confusions:
    what it is, what it was taken for, how often."""

    labels: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    largest: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True)
class Card:
    """One mistake with its pictures."""

    says: str
    shots: tuple[Shot, ...]
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Album:
    """All shown mistakes of a kind, of `total`."""

    name: str
    words: wording.Words
    cards: tuple[Card, ...]
    total: int


def tiles(found: Evaluation) -> list[Tile]:
    """The figures that are looked at first, and the calibration."""
    figures = found.overall()
    made = [
        _tile(wording.FIGURES[name].name, figures[name]) for name in wording.first_figures(found)
    ]
    if found.calibration is not None:
        after = found.calibration.after
        tile = _tile("calibration error", found.calibration.before.ece)
        note = f"{wording.value(after.ece)} with a temperature" if after else tile.note
        made.append(Tile(tile.name, tile.value, note))
    return made


def _tile(name: str, figure: Measure) -> Tile:
    note = (
        f"{wording.bounds(figure)}, of {figure.n:,}"
        if figure.interval
        else f"of {figure.n:,}; {figure.why}"
    )
    return Tile(name, wording.value(figure), note)


def sheets(found: Evaluation) -> list[Sheet]:
    """The slices, a sheet for each kind that there is."""
    made = []
    for by in wording.BY:
        slices = [part for part in found.slices if part.by == by]
        if not slices:
            continue
        keys = wording.slice_figures(found, by)
        rows = worst_first(slices, keys)
        columns = tuple(_column(found, key, slices) for key in keys)
        shown = tuple(rows[:MOST_ROWS])
        small = wording.too_small(slices)
        made.append(Sheet(wording.title(found, by), columns, shown, len(rows) - len(shown), small))
    return made


def _column(found: Evaluation, key: str, slices: list[Slice]) -> Column:
    whole = found.overall().get(key)
    ends = [whole.value] if whole and whole.value is not None else []
    for part in slices:
        figure = part.figures.get(key)
        if figure is not None and figure.value is not None:
            ends += [figure.value, *(figure.interval or ())]
    return Column(key, wording.FIGURES[key].name, linear(ends), whole.value if whole else None)


def matrix(confusion: Confusion | None) -> Matrix | None:
    """The confusion matrix, whole or its largest entries; None where there is none to show."""
    if confusion is None or len(confusion.labels) < 2:
        return None
    labels, counts = confusion.labels, confusion.counts
    if len(labels) > MOST_LABELS:
        wrong = [
            (labels[i], labels[j], count)
            for i, row in enumerate(counts)
            for j, count in enumerate(row)
            if i != j and count
        ]
        wrong.sort(key=lambda entry: -entry[2])
        return Matrix(labels, (), tuple(wrong[:MOST_CONFUSIONS]))
    rows = tuple(
        tuple(Cell(count, count / max(1, sum(row)), i == j) for j, count in enumerate(row))
        for i, row in enumerate(counts)
    )
    return Matrix(labels, rows, ())


def albums(
    found: Evaluation, folder: Path, items: Mapping[str, Item], progress: Progress
) -> list[Album]:
    """The mistakes by kind, in the order of their losses; pictures from the snapshot `folder`."""
    made: dict[Kind, list[Card]] = {}
    for done, mistake in enumerate(found.mistakes, start=1):
        progress(done, len(found.mistakes), "drawing the page")
        made.setdefault(mistake.kind, []).append(_card(mistake, folder, items))
    return [
        Album(name, wording.MISTAKES[name], tuple(cards), found.mistakes_of_kind[name])
        for name, cards in made.items()
    ]


def _card(mistake: Mistake, folder: Path, items: Mapping[str, Item]) -> Card:
    boxes: dict[str, Box] = {}
    if mistake.truth_box:
        boxes["miss" if mistake.found_box is None else "truth"] = mistake.truth_box
    if mistake.found_box:
        boxes["false"] = mistake.found_box
    shots = [shot(folder, items[mistake.item], boxes.items())]
    ids = [mistake.item]
    if mistake.other is not None:
        shots.append(shot(folder, items[mistake.other], ()))
        ids.append(mistake.other)
    return Card(_says(mistake), tuple(shots), tuple(ids))


def _says(mistake: Mistake) -> str:
    sure = f"{mistake.score:.2f}" if mistake.score is not None else ""
    near = f", IoU {mistake.iou:.2f}" if mistake.iou is not None else ""
    if mistake.kind == "missed":
        return f"{mistake.truth}, missed"
    if mistake.kind == "confused":
        return f"{mistake.truth}, most like {mistake.found} ({sure})"
    if mistake.kind in ("false-alarm", "duplicate"):
        return f"{mistake.found} at {sure}{near}"
    if mistake.kind == "poor-box":
        return f"{mistake.truth} at {sure}{near}"
    return f"is {mistake.truth}, taken for {mistake.found} at {sure}{near}"
