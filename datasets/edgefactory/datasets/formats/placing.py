"""Where the pictures of an export lie, and what importing them again would give.

Pure: a snapshot's items in, places and items out. The difference between an item and what comes
back of it is what the format has no place for, so it can be counted before anything is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from edgefactory.datasets.documents import Header, Item, Label, Task
from edgefactory.datasets.formats.foreign import ForeignSet, ImportSettings, Tally
from edgefactory.datasets.formats.names import is_safe, kept_name, natural, short_names, source_of

Kept = Literal["facts", "splits", "classes", "signal"]


@dataclass(frozen=True, slots=True)
class Placed:
    """An item that is exported, with the labels that go along, and its file in the export."""

    item: Item
    file: str


class Form(Protocol):
    """What a module of this folder offers for its format.

    `BASE` is the folder of pictures in an export; `KEEPS` says what the format holds beside
    names and labels: `facts` are a picture's source, time and review.
    """

    TASKS: frozenset[Task]
    KEEPS: frozenset[Kept]
    BASE: str

    def read(self, path: Path, settings: ImportSettings, tally: Tally, /) -> ForeignSet:
        """The foreign data set at `path`."""

    def shelf(self, item: Item, /) -> str:
        """The folder below `BASE` that only sorts a picture; reading takes it off the name."""

    def unique_key(self, file: str, /) -> str:
        """What no two pictures of an export may have in common."""

    def comes_back(self, label: Label, item: Item, /) -> Label | None:
        """A label after export and import; None: the format has no place for it."""

    def check_class(self, name: str, /) -> bool:
        """Whether the format can hold a class of this name."""

    def write(self, folder: Path, header: Header, placed: Sequence[Placed], /) -> None:
        """Write everything but the pictures."""


def places(form: Form, items: Sequence[Item]) -> list[Placed]:
    """A file for each item: under its name where that is safe and free, else under its id."""
    taken: set[str] = set()
    placed = []
    for item in items:
        ending = item.file.rpartition(".")[2]
        by_id = f"{item.id}.{ending}"
        name = item.name if item.name and is_safe(item.name) else by_id
        for candidate in (kept_name(name, ending), by_id):
            file = _file(form, item, candidate)
            if form.unique_key(file) not in taken:
                break
        taken.add(form.unique_key(file))
        placed.append(Placed(item, file))
    return placed


def after_import(form: Form, header: Header, placed: Sequence[Placed]) -> dict[str, Item]:
    """What importing the exported items would give, by id."""
    base = f"{form.BASE}/" if form.BASE else ""
    shelved = []
    for one in placed:
        shelf, file = form.shelf(one.item), one.file.removeprefix(base)
        shelved.append((shelf, file.removeprefix(f"{shelf}/") if shelf else file))
    arrivals = sorted(
        zip(short_names(shelved), shelved, placed, strict=True), key=lambda entry: natural(entry[0])
    )
    clock = Clock(header.name)
    items = {}
    for name, (_, rest), one in arrivals:
        back = [form.comes_back(label, one.item) for label in one.item.labels]
        item = msgspec.structs.replace(
            one.item,
            name=stored_name(name, one.item),
            split=one.item.split if "splits" in form.KEEPS else "train",
            labels=tuple(label for label in back if label is not None),
        )
        if "facts" not in form.KEEPS:
            source, second = clock.tick(rest)
            item = msgspec.structs.replace(
                item, source=source, frame=None, captured_at=second, reviewed=False
            )
        items[item.id] = item
    return items


def stored_name(name: str, item: Item) -> str | None:
    """The name in the manifest; None where it says no more than the id."""
    return None if name == item.file.removeprefix("images/") else name


class Clock:
    """Sources and times of pictures that have none: a second each, in order, in each folder."""

    def __init__(self, data_set: str) -> None:
        self._data_set = data_set
        self._seen: Counter[str] = Counter()

    def tick(self, name: str) -> tuple[str, float]:
        """The source of the next picture, and its time there in seconds."""
        source = source_of(name, self._data_set)
        self._seen[source] += 1
        return source, float(self._seen[source] - 1)


def _file(form: Form, item: Item, name: str) -> str:
    shelf = form.shelf(item)
    on_shelf = name if not shelf or name.startswith(f"{shelf}/") else f"{shelf}/{name}"
    return f"{form.BASE}/{on_shelf}" if form.BASE else on_shelf
