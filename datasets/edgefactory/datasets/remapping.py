"""Classes renamed, merged or dropped, all at once: `car=vehicle`, `van=vehicle`, `tree=`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from edgefactory.datasets.carrying import pictures_of, write_snapshot
from edgefactory.datasets.documents import Header, Item, Label
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.manifest import read_header, stream_items
from edgefactory.datasets.statements import without_broken_bounds

ClassMap = Mapping[str, str | None]
"""The new name of each old class that does not stay as it is; None: its labels go."""


@dataclass(frozen=True, slots=True)
class Remapped:
    """What became of a snapshot. `renamed` and `dropped` are labels."""

    digest: str
    classes: tuple[str, ...]
    renamed: int
    dropped: int
    bounds_ended: int


def class_map(texts: Iterable[str]) -> dict[str, str | None]:
    """The map that `texts` of the form `old=new` or `old=` say. Raises `InputError`."""
    found: dict[str, str | None] = {}
    for text in texts:
        old, equals, new = text.partition("=")
        if not (old and equals):
            raise InputError(f"{text!r} does not map a class; expected old=new, or old= to drop it")
        if old in found:
            raise InputError(f"the class {old!r} is mapped twice; a class becomes one other")
        found[old] = new or None
    return found


def remap(folder: Path, mapping: ClassMap, out: Path) -> Remapped:
    """Write the snapshot in `folder` with its classes mapped to the new folder `out`.

    Labels whose class changes lose the bound on their error. Raises `InputError` when `mapping`
    names a class that there is not, or leaves none; `MissingError` and `StorageError` as
    `write_snapshot`.
    """
    header = read_header(folder)
    unknown = [old for old in mapping if old not in header.classes]
    if unknown:
        raise InputError(
            f"{folder} has no class {unknown[0]!r}; its classes: {', '.join(header.classes)}"
        )
    renamed = dropped = 0

    def mapped() -> Iterator[Item]:
        nonlocal renamed, dropped
        renamed = dropped = 0
        for item in stream_items(folder):
            new = remapped_item(item, mapping)
            named = sum(label.class_ in mapping for label in item.labels)
            lost = len(item.labels) - len(new.labels)
            renamed, dropped = renamed + named - lost, dropped + lost
            yield new

    kept, items = without_broken_bounds(remapped_header(header, mapping), mapped)
    digest = write_snapshot(out, kept, items(), pictures_of(folder))
    return Remapped(digest, kept.classes, renamed, dropped, len(header.bounds) - len(kept.bounds))


def remapped_header(header: Header, mapping: ClassMap) -> Header:
    """The header with its classes mapped; one that others join stands where the first stood."""
    names = (mapping.get(class_, class_) for class_ in header.classes)
    classes = tuple(dict.fromkeys(name for name in names if name is not None))
    if not classes:
        raise InputError(f"the snapshot {header.name} would be left without a class; keep one")
    return replace(header, classes=classes)


def remapped_item(item: Item, mapping: ClassMap) -> Item:
    """The item with its labels' classes mapped.

    Two labels of the whole picture that come to the same class become one: a person's before a
    machine's, then the surer one. A picture that has so lost its only class is no longer reviewed:
    that nothing else is there was not what the person said.
    """
    if not any(label.class_ in mapping for label in item.labels):
        return item
    labels = tuple(
        new for label in item.labels if (new := _remapped_label(label, mapping)) is not None
    )
    if item.labels[0].box is None:
        labels = _one_a_class(labels)
        return replace(item, labels=labels, reviewed=item.reviewed and bool(labels))
    return replace(item, labels=labels)


def _remapped_label(label: Label, mapping: ClassMap) -> Label | None:
    new = mapping.get(label.class_, label.class_)
    if new is None or new == label.class_:
        return None if new is None else label
    return replace(label, class_=new, bound=None)


def _one_a_class(labels: tuple[Label, ...]) -> tuple[Label, ...]:
    best: dict[str, Label] = {}
    for label in sorted(labels, key=lambda x: (x.origin.startswith("human:"), x.score)):
        best[label.class_] = label
    return tuple(label for label in labels if best[label.class_] is label)
