"""A snapshot goes into a store. What is there is not sent again, so a broken push goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from edge_runtime.contract.codec import encode
from edgefactory.datasets.documents import Progress
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.files import write_file
from edgefactory.datasets.manifest import manifest_path, read_header, stream_items
from edgefactory.datasets.snapshot import picture_bytes
from edgefactory.datasets.versions.records import Out, Record, Version, record
from edgefactory.datasets.versions.store import Store, store_errors

_BATCH: Final = 256  # files between two reports
_BLOCK: Final = 2**20


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of it: `sent` files went over, the others of `files` were there already."""

    record: Record
    files: int
    sent: int


@dataclass(frozen=True, slots=True)
class _File:
    relpath: str
    md5: str
    size: int


def push(folder: Path, store: Store, note: str = "", progress: Progress | None = None) -> Pushed:
    """Put the snapshot in `folder` into `store`, the record last.

    Every picture's bytes are held against its digest before. A snapshot that is there already
    keeps its record, so pushing twice changes nothing. Raises `InputError` when the snapshot is
    not whole, `MissingError` and `StorageError` as `store_errors`.
    """
    report = progress or (lambda _done, _total, _text: None)
    header, path = read_header(folder), manifest_path(folder)
    digest, manifest = _hashed_manifest(path)
    known = store.record(digest)
    files = [manifest]
    for file in _hashed_pictures(folder):
        files.append(file)
        if len(files) % _BATCH == 0:
            report(len(files), 0, "reading and hashing pictures")
    sent = _send(folder, store, files, report)
    tree = _send_tree(store, files)
    if known is not None:
        return Pushed(known, len(files), sent)
    version = Version(
        name=header.name,
        sha256=digest,
        pictures=len(files) - 1,
        pushed_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        note=note,
    )
    size = sum(file.size for file in files)
    made = record(version, Out(tree, size, len(files), folder.resolve().name))
    store.write_record(made)
    return Pushed(made, len(files), sent)


def _hashed_manifest(path: Path) -> tuple[str, _File]:
    """SHA-256 of the manifest, and it as a file of the tree, read once."""
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                sha256.update(block)
                md5.update(block)
                size += len(block)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    return sha256.hexdigest(), _File(path.name, md5.hexdigest(), size)


def _hashed_pictures(folder: Path) -> Iterator[_File]:
    for item in stream_items(folder):
        content = picture_bytes(folder, item)
        yield _File(
            item.file, hashlib.md5(content, usedforsecurity=False).hexdigest(), len(content)
        )


def _send(folder: Path, store: Store, files: list[_File], report: Progress) -> int:
    """Send what is not there; the number of files sent."""
    from dvc_objects.fs import localfs

    present = store.present([file.md5 for file in files])
    absent = list({file.md5: file for file in files if file.md5 not in present}.values())
    for start in range(0, len(absent), _BATCH):
        report(start, len(absent), "sending files")
        batch = absent[start : start + _BATCH]
        with store_errors(store.where):
            store.odb.add(
                [str(folder / file.relpath) for file in batch],
                localfs,
                [file.md5 for file in batch],
                check_exists=False,
            )
    return len(absent)


def _send_tree(store: Store, files: list[_File]) -> str:
    """Store DVC's list of the version's files; its id."""
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.meta import Meta
    from dvc_data.hashfile.tree import Tree

    tree = Tree()
    for file in files:
        tree.add(tuple(file.relpath.split("/")), Meta(size=file.size), HashInfo("md5", file.md5))
    tree.digest()
    with store_errors(store.where):
        store.odb.add(tree.path, tree.fs, tree.oid)
    return str(tree.oid)


def write_dvc_file(record: Record, path: Path) -> None:
    """Write the record to `path`, so that `dvc pull` there brings the files into a folder beside.

    The folder has the file's name without `.dvc`. Raises `InputError` for another ending, which DVC
    does not read; `StorageError`.
    """
    if path.suffix != ".dvc":
        raise InputError(f"{path}: DVC reads files that end in .dvc; name it so")
    write_file(path, encode(replace(record, outs=(replace(record.out, path=path.stem),))))
