"""The snapshot's manifest on disk: `manifest.jsonl`, a header line, then one item a line.

Lines are read one at a time, so a manifest of a million items needs no more memory than one of
a thousand. The SHA-256 of the file is the snapshot's digest. `manifest.json` (snapshot/1, one
JSON document) is still read, never written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from edgefactory.datasets.documents import (
    Header,
    Item,
    Label,
    Labeller,
    Name,
    Sha256,
    Snapshot,
    Task,
    check_box,
    read_document,
)
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.files import file_sha256, storage_errors

MANIFEST: Final = "manifest.jsonl"
MAX_LINE_BYTES: Final = 16 * 2**20
FIRST_FORM: Final = "manifest.json"  # of snapshot/1
_BUFFER: Final = 2**20


class _FirstForm(Struct, frozen=True, forbid_unknown_fields=True):
    """snapshot/1: the whole manifest as one document."""

    schema: Literal["snapshot/1"]
    name: Name
    task: Task
    classes: tuple[Name, ...]
    test_labels: Labeller
    truth_sha256: Sha256 | None
    items: tuple[Item, ...]


def manifest_path(folder: Path) -> Path:
    """The manifest in `folder`. Raises `MissingError` when there is none."""
    for name in (MANIFEST, FIRST_FORM):
        if (folder / name).is_file():
            return folder / name
    raise MissingError(f"{folder / MANIFEST} is not there; expected the folder of a snapshot")


def snapshot_digest(folder: Path) -> str:
    """The snapshot's name everywhere else: the SHA-256 of its manifest file."""
    return file_sha256(manifest_path(folder), "manifest")


def header_of(snapshot: Snapshot) -> Header:
    """The snapshot without its items."""
    return Header(
        snapshot.name,
        snapshot.task,
        snapshot.classes,
        snapshot.test_labels,
        snapshot.truth_sha256,
        snapshot.bounds,
        snapshot.signal,
    )


def read_header(folder: Path) -> Header:
    """The header of the snapshot in `folder`; its items are not looked at.

    Raises `MissingError` when there is no manifest, `InputError` when it is not one.
    """
    path = manifest_path(folder)
    if path.name == FIRST_FORM:
        return header_of(_first_form(path))
    for _, line in read_lines(path):
        return _header(line, path)
    raise InputError(f"{path} is empty; expected a snapshot's manifest")


def stream_items(folder: Path) -> Iterator[Item]:
    """The items of the snapshot in `folder`, one at a time, each checked.

    Raises `MissingError` when there is no manifest; `InputError`, naming the line, for what is no
    item, an id or name that was there before, a class or bound that the header does not know, a
    box outside of its picture, a label of another task, a picture of another size than the
    header's sequences have.
    """
    path = manifest_path(folder)
    if path.name == FIRST_FORM:
        snapshot = _first_form(path)
        check = ItemCheck(header_of(snapshot))
        for item in snapshot.items:
            check(item, str(path))
            yield item
        return
    lines = read_lines(path)
    check = ItemCheck(_header(next(lines, (1, b""))[1], path))
    decoder = msgspec.json.Decoder(Item)
    for number, line in lines:
        try:
            item = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path} line {number} is not an item: {error}") from error
        check(item, f"{path} line {number}")
        yield item


def read_manifest(folder: Path) -> Snapshot:
    """The whole snapshot in memory. Errors as `stream_items`."""
    header = read_header(folder)
    return snapshot_of(header, stream_items(folder))


def snapshot_of(header: Header, items: Iterable[Item]) -> Snapshot:
    """Header and items as one value."""
    return Snapshot(
        header.name,
        header.task,
        header.classes,
        header.test_labels,
        header.truth_sha256,
        tuple(items),
        header.bounds,
        header.signal,
    )


def check_snapshot(snapshot: Snapshot, where: str) -> None:
    """Raise `InputError`, naming `where`, unless every item is as `stream_items` demands."""
    check = ItemCheck(header_of(snapshot))
    for item in snapshot.items:
        check(item, where)


def write_manifest(folder: Path, header: Header, items: Iterable[Item]) -> str:
    """Write `manifest.jsonl` into `folder` and return the snapshot's digest.

    Every item is checked as it would be when read. The folder is not seen under its final name
    before it is complete (`files.fresh_folder`), so the file is written in place.
    """
    path, digest = folder / MANIFEST, hashlib.sha256()
    check, encoder = ItemCheck(header), msgspec.json.Encoder(order="deterministic")
    with storage_errors(path), path.open("wb", buffering=_BUFFER) as file:

        def write(document: Header | Item) -> None:
            line = encoder.encode(document) + b"\n"
            digest.update(line)
            file.write(line)

        write(header)
        for item in items:
            check(item, str(path))
            write(item)
    return digest.hexdigest()


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The file's lines with their numbers from 1. Raises `InputError` for an endless or cut one."""
    try:
        with path.open("rb", buffering=_BUFFER) as file:
            number = 0
            while line := file.readline(MAX_LINE_BYTES):
                number += 1
                if not line.endswith(b"\n"):
                    raise InputError(
                        f"{path} line {number} is cut off, or longer than {MAX_LINE_BYTES} bytes"
                    )
                yield number, line
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


class ItemCheck:
    """What every item of one manifest must keep; called with each in turn."""

    def __init__(self, header: Header) -> None:
        self._classes = frozenset(header.classes)
        self._bounds = frozenset(bound.id for bound in header.bounds)
        self._whole = header.task == "classification"
        self._size = (header.signal.steps, header.signal.rows) if header.signal else None
        self._ids: set[bytes] = set()
        self._names: set[bytes] = set()

    def __call__(self, item: Item, where: str) -> None:
        """Raise `InputError`, naming `where`, for an item that does not belong here."""
        short = bytes.fromhex(item.id)[:16]
        if short in self._ids:
            raise InputError(f"{where}: two items have the id {item.id[:12]}")
        self._ids.add(short)
        if item.name is not None:
            name = hashlib.blake2b(item.name.encode(), digest_size=16).digest()
            if name in self._names:
                raise InputError(f"{where}: two items have the name {item.name!r}")
            self._names.add(name)
        if item.file[7:71] != item.id:
            raise InputError(f"{where}: item {item.id[:12]} has the file {item.file}")
        if self._size is not None and (item.width, item.height) != self._size:
            raise InputError(
                f"{where}: item {item.id[:12]} is {item.width}x{item.height}; sequences of this "
                f"snapshot are {self._size[0]}x{self._size[1]}"
            )
        for label in item.labels:
            self._label(label, item, where)

    def _label(self, label: Label, item: Item, where: str) -> None:
        who = f"{where}: item {item.id[:12]}"
        if label.class_ not in self._classes:
            raise InputError(f"{who} has the class {label.class_!r}, which the header lacks")
        if (label.box is None) != self._whole:
            raise InputError(f"{who} has a label of another task")
        if label.box is not None:
            check_box(label.box, item.width, item.height, who)
        if label.bound is not None and label.bound not in self._bounds:
            raise InputError(f"{who} names the bound {label.bound}, which the header lacks")


def _header(line: bytes, path: Path) -> Header:
    try:
        return msgspec.json.decode(line, type=Header)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} does not begin with a snapshot/2 header: {error}") from error


def _first_form(path: Path) -> Snapshot:
    found = read_document(path, _FirstForm)
    return Snapshot(
        found.name,
        found.task,
        found.classes,
        found.test_labels,
        found.truth_sha256,
        found.items,
    )
