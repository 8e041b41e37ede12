"""A version comes out of a store as a snapshot folder, every byte held against its digest."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Final

from edgefactory.datasets.documents import Progress
from edgefactory.datasets.errors import InputError, MissingError, TrustError
from edgefactory.datasets.files import (
    file_sha256,
    fresh_folder,
    require_replaceable,
    storage_errors,
)
from edgefactory.datasets.manifest import FIRST_FORM, MANIFEST, stream_items
from edgefactory.datasets.versions.records import Entry, Record, read_entries
from edgefactory.datasets.versions.store import Store, store_errors

_BATCH: Final = 64  # files fetched between two checks
_SHORTEST: Final = 4  # digits of a digest that name a version


def find_version(store: Store, wanted: str) -> Record:
    """The version that `wanted` names: the beginning of a digest, or a name (its newest version).

    Raises `MissingError` when there is none, `InputError` when a beginning fits several.
    """
    records = store.records()
    named = [record for record in records if record.version.name == wanted]
    if named:
        return named[0]
    fitting = [record for record in records if record.version.sha256.startswith(wanted)]
    if len(wanted) < _SHORTEST or not fitting:
        names = ", ".join(sorted({record.version.name for record in records})) or "nothing"
        raise MissingError(
            f"{store.where} holds no version {wanted!r}; it holds {names}: see "
            "`edgefactory data versions`"
        )
    if len(fitting) > 1:
        raise InputError(f"{wanted!r} begins {len(fitting)} versions; give more of the digest")
    return fitting[0]


def pull(record: Record, store: Store, out: Path, progress: Progress | None = None) -> int:
    """Write the version to the new folder `out`; the number of files that had to be fetched.

    Files wait in `.<name of out>.pull` beside it until all are there, so a broken pull goes on
    where it stopped. Raises `TrustError` when a file's bytes are not those of its digest,
    `InputError` when the version is not a whole snapshot, `MissingError` and `StorageError` as
    `store_errors`.
    """
    report = progress or (lambda _done, _total, _text: None)
    require_replaceable(out, MANIFEST, FIRST_FORM)
    entries = _entries(record, store)
    waiting = out.with_name(f".{out.name}.pull")
    with storage_errors(waiting):
        (waiting / "images").mkdir(parents=True, exist_ok=True)
        _remove_strangers(waiting, entries)
    absent = [entry for entry in entries if not _is_right(waiting, entry, record)]
    for start in range(0, len(absent), _BATCH):
        report(start, len(absent), "fetching files")
        _fetch(absent[start : start + _BATCH], store, waiting, record)
    _require_whole(waiting, entries)
    with fresh_folder(out, MANIFEST, FIRST_FORM) as work:
        work.rmdir()
        waiting.rename(work)
    return len(absent)


def _entries(record: Record, store: Store) -> tuple[Entry, ...]:
    tree_id = record.out.md5
    content = store.tree(tree_id)
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != tree_id.removesuffix(".dir"):
        raise TrustError(f"the list {tree_id} in {store.where} has other bytes than its name says")
    return read_entries(content, f"{tree_id} in {store.where}")


def _remove_strangers(waiting: Path, entries: tuple[Entry, ...]) -> None:
    """Take away what an earlier pull of another version has left."""
    wanted = {waiting / entry.relpath for entry in entries} | {waiting / "images"}
    for path in [*waiting.iterdir(), *(waiting / "images").iterdir()]:
        if path not in wanted:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _is_right(waiting: Path, entry: Entry, record: Record) -> bool:
    """Whether the file is there with the bytes that its digest, not only DVC's MD5, asks for."""
    path = waiting / entry.relpath
    if not path.is_file():
        return False
    picture = entry.relpath.startswith("images/")
    return file_sha256(path, "file") == (path.stem if picture else record.version.sha256)


def _fetch(batch: list[Entry], store: Store, waiting: Path, record: Record) -> None:
    from dvc_objects.fs import generic, localfs

    with store_errors(store.where):
        generic.copy(
            store.fs,
            [store.odb.oid_to_path(entry.md5) for entry in batch],
            localfs,
            [str(waiting / entry.relpath) for entry in batch],
            batch_size=store.fs.jobs,
        )
    for entry in batch:
        if not _is_right(waiting, entry, record):
            (waiting / entry.relpath).unlink(missing_ok=True)
            raise TrustError(
                f"{entry.relpath} in {store.where} has other bytes than its digest says; "
                "push the snapshot again"
            )


def _require_whole(folder: Path, entries: tuple[Entry, ...]) -> None:
    listed = {entry.relpath for entry in entries} - {MANIFEST, FIRST_FORM}
    named = {item.file for item in stream_items(folder)}
    if listed != named:
        odd = min(listed ^ named)
        raise InputError(
            f"the version is not a whole snapshot: {odd} is in one of list and manifest"
        )
