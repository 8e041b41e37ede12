"""How much disk a site's state may take, and what gives way when a release must fit.

Never what a slot holds or what is being fetched; of the rest, the oldest first. The bound is the
site's quota, or what the disk has left, where that is less.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge_runtime import durable
from edge_runtime.contract import FileRef, Release, decode
from edge_runtime.errors import ContractError, MissingError, StorageError
from edge_runtime.store.contents import Contents
from edge_runtime.store.slots import Journal, Slot

DEFAULT_BYTES = 4 * 2**30  # three releases of a gigabyte, and room to fetch


@dataclass(frozen=True)
class File:
    """A file of the state: its size in bytes and when it came (seconds since 1970)."""

    path: Path
    bytes: int
    at: float


def victims(loose: Iterable[File], used: int, needed: int, limit: int) -> Sequence[File] | None:
    """What of `loose` must go, the oldest first, so that `needed` bytes more fit beside `used`.

    None when they do not fit even then.
    """
    gone: list[File] = []
    for file in sorted(loose, key=lambda file: (file.at, file.path)):
        if used + needed <= limit:
            break
        gone.append(file)
        used -= file.bytes
    return gone if used + needed <= limit else None


def make_room(contents: Contents, journal: Journal, wanted: Sequence[FileRef], quota: int) -> None:
    """Let the files of `wanted` that are not here fit below `quota` bytes of state.

    Raises StorageError when they cannot, with nothing removed.
    """
    missing = [ref for ref in wanted if not contents.holds(ref)]
    if not missing:
        return
    import shutil  # 3 ms with its compressors, which who only reads the default quota does without

    folder = contents.blobs.parent
    with durable.storage(folder):
        files = _files(folder)
        free = shutil.disk_usage(folder).free
    needed = sum(ref.bytes - _begun(contents, ref, files) for ref in missing)
    used = sum(file.bytes for file in files)
    kept = {ref.sha256 for ref in wanted} | _held(contents, journal)
    loose = [file for file in files if _is_loose(file.path, contents, kept)]
    limit = min(quota, used + free)
    gone = victims(loose, used, needed, limit)
    if gone is None:
        room = max(0, limit - used + sum(file.bytes for file in loose))
        why = "the quota" if limit == quota else "the disk"
        raise StorageError(
            f"the release needs {needed} bytes more, but {why} leaves {room} beside what runs; "
            "enroll with a larger --quota, or free some space"
        )
    for file in gone:
        durable.remove(file.path)


def taken(folder: Path) -> int:
    """Bytes of all files below `folder`. Raises StorageError."""
    with durable.storage(folder):
        return sum(file.bytes for file in _files(folder))


def _files(folder: Path) -> list[File]:
    found = []
    for path in folder.rglob("*"):
        status = path.lstat()
        if not path.is_dir():
            found.append(File(path, status.st_size, status.st_mtime))
    return found


def _begun(contents: Contents, ref: FileRef, files: Iterable[File]) -> int:
    """How much of `ref` an earlier fetch has left."""
    place = contents.partial / ref.sha256
    return next((min(f.bytes, ref.bytes) for f in files if f.path == place), 0)


def _held(contents: Contents, journal: Journal) -> set[str]:
    """The digests of all that the slots need, and of what their engines were built from."""
    slots = (
        slot
        for model in journal.models.values()
        for slot in msgspec.structs.astuple(model)
        if isinstance(slot, Slot)
    )
    return {sha256 for slot in slots for sha256 in _parts(contents, slot.release)}


def _parts(contents: Contents, ref: FileRef) -> set[str]:
    try:
        release = decode(contents.read(ref), Release, "a release")
    except (MissingError, StorageError, ContractError):
        return {ref.sha256}  # damaged: what belongs to it cannot be known, and it cannot run
    return {ref.sha256} | release.files().keys()


def _is_loose(path: Path, contents: Contents, kept: set[str]) -> bool:
    """Whether nothing that runs or is being fetched needs the file."""
    if path.parent in {contents.blobs, contents.partial}:
        return path.name not in kept
    if path.parent.parent == contents.built:  # compiled for a quick start
        return True
    recipes = {sha256[:16] for sha256 in kept}  # engines are named after their recipe
    return path.parent == contents.built and path.name[:16] not in recipes
