"""Several snapshots as one; where they have a picture in common, a person's word wins (`choosing`).

The manifests are streamed; what is kept in memory is the id of every picture and where its line
begins, so that pictures which are in several snapshots find each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from edgefactory.datasets.carrying import write_snapshot
from edgefactory.datasets.choosing import PictureVersion, chosen
from edgefactory.datasets.documents import LABELLERS, ErrorBound, Header, Item
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.lines import Lines
from edgefactory.datasets.manifest import read_header, stream_items
from edgefactory.datasets.remapping import ClassMap, remapped_header, remapped_item
from edgefactory.datasets.statements import Items, without_broken_bounds


@dataclass(frozen=True, slots=True)
class MergeSettings:
    """How snapshots become one."""

    name: str | None = None  # None: that of the first
    mapping: ClassMap = field(default_factory=dict)  # of classes, before all else
    prefer: int | None = None  # index of the snapshot whose people are right in a conflict


@dataclass(frozen=True, slots=True)
class Union:
    """Snapshots merged, not yet written. `shared` pictures are in more than one of them."""

    header: Header
    items: Items
    picture: Callable[[Item], Path]
    pictures: int
    shared: int
    bounds_ended: int


def merge(folders: Sequence[Path], settings: MergeSettings, out: Path) -> tuple[str, Union]:
    """Write the snapshots in `folders` as one to the new folder `out`; its digest, and the union.

    Errors as `merged` and `write_snapshot`.
    """
    union = merged(folders, settings)
    return write_snapshot(out, union.header, union.items(), union.picture), union


def merged(folders: Sequence[Path], settings: MergeSettings) -> Union:
    """The union of the snapshots in `folders`: the pictures of the first, then what the next adds.

    A picture whose name another one already has is called after its snapshot too: `name-2/...` is
    the second one's. Raises `MissingError` when a snapshot is not there; `InputError` when tasks or
    classes differ, sequences became pictures in different ways, a picture lies in different splits,
    or people contradict each other.
    """
    headers = [read_header(folder) for folder in folders]
    header = _joined(folders, headers, settings)
    index = _Index(folders)
    own = [_own_mapping(each, settings.mapping) for each in headers]

    def items() -> Iterator[Item]:
        names: set[int] = set()
        for number, item in _chosen_items(folders, own, index, settings.prefer):
            yield _named(item, names, f"{headers[number].name}-{number + 1}")

    def picture(item: Item) -> Path:
        return folders[index.place(_key(item))[0]] / item.file

    kept, whole = without_broken_bounds(header, items)
    ended = len(header.bounds) - len(kept.bounds)
    return Union(kept, whole, picture, len(index.first), len(index.shared), ended)


def _chosen_items(
    folders: Sequence[Path], own: Sequence[ClassMap], index: _Index, prefer: int | None
) -> Iterator[tuple[int, Item]]:
    """Each picture's version that counts, with the number of the first snapshot that has it."""
    with ExitStack() as opened:
        lines = [opened.enter_context(Lines(folder)) for folder in folders]
        for number, folder in enumerate(folders):
            for item in stream_items(folder):
                new = remapped_item(item, own[number])
                places = index.shared.get(_key(item))
                if places is None:
                    yield number, new
                elif places[0][0] == number:
                    others = (
                        (i, remapped_item(lines[i].item(lines[i].at(offset)), own[i]))
                        for i, offset in places[1:]
                    )
                    versions = [
                        PictureVersion(str(folders[i]), i, one)
                        for i, one in ((number, new), *others)
                    ]
                    yield number, chosen(versions, prefer)


class _Index:
    """Where each picture's line begins, as (number of the snapshot, offset)."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._count = len(folders)
        self.first: dict[bytes, int] = {}  # both numbers as one, for a third of the memory
        self.shared: dict[bytes, list[tuple[int, int]]] = {}
        for number, folder in enumerate(folders):
            with Lines(folder) as lines:
                for offset, line in lines.each():
                    self._add(lines.id_of(line), number, offset)

    def _add(self, key: bytes, number: int, offset: int) -> None:
        if key not in self.first:
            self.first[key] = offset * self._count + number
        else:
            self.shared.setdefault(key, [self.place(key)]).append((number, offset))

    def place(self, key: bytes) -> tuple[int, int]:
        """The first line of that picture."""
        offset, number = divmod(self.first[key], self._count)
        return number, offset


def _key(item: Item) -> bytes:
    return bytes.fromhex(item.id)[:16]  # as Lines.id_of


def _named(item: Item, names: set[int], prefix: str) -> Item:
    """The item, under a name that none before it has."""
    if item.name is None:
        return item
    if hash(item.name) in names:
        item = replace(item, name=f"{prefix}/{item.name}")
    names.add(hash(item.name))
    return item


def _joined(folders: Sequence[Path], headers: Sequence[Header], settings: MergeSettings) -> Header:
    """The header of the union. Raises `InputError` when the snapshots do not fit together."""
    known = {class_ for header in headers for class_ in header.classes}
    unknown = [old for old in settings.mapping if old not in known]
    if unknown:
        raise InputError(f"no snapshot has the class {unknown[0]!r}; there are: {sorted(known)}")
    mapped = [remapped_header(each, _own_mapping(each, settings.mapping)) for each in headers]
    first = mapped[0]
    for folder, header in zip(folders, mapped, strict=True):
        if header.task != first.task:
            raise InputError(
                f"{folder} is for {header.task}, {folders[0]} for {first.task}; they cannot be one"
            )
        if header.signal != first.signal:
            raise InputError(
                f"{folders[0]} and {folder} make pictures of sequences differently; import the one "
                "again with --signal and the folder of the other"
            )
        odd = sorted({*header.classes} ^ {*first.classes})
        if odd:
            raise InputError(
                f"{folders[0]} and {folder} do not have the same classes: only one has "
                f"{', '.join(odd)}; what one lacks nobody has looked for there, so rename or drop "
                "it with --map"
            )
    truths = {header.truth_sha256 for header in mapped}
    return replace(
        first,
        name=settings.name or first.name,
        test_labels=max((header.test_labels for header in mapped), key=LABELLERS.index),
        truth_sha256=first.truth_sha256 if len(truths) == 1 else None,
        bounds=_bounds(folders, mapped),
    )


def _bounds(folders: Sequence[Path], headers: Sequence[Header]) -> tuple[ErrorBound, ...]:
    found: dict[str, ErrorBound] = {}
    for folder, header in zip(folders, headers, strict=True):
        for bound in header.bounds:
            if found.setdefault(bound.id, bound) != bound:
                raise InputError(f"{folder}: the bound {bound.id} says something else elsewhere")
    return tuple(found.values())


def _own_mapping(header: Header, mapping: ClassMap) -> ClassMap:
    return {old: new for old, new in mapping.items() if old in header.classes}
