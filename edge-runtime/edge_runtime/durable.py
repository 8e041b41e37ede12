"""Files that survive a power cut: written beside, synced, renamed, and the folder synced.

Whatever changes a file of the state goes through `disk`, which is `os`: a test puts another in its
place, counts the operations, and fails or dies at any of them.
"""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from edge_runtime.errors import MissingError, StorageError

_REASONS = {
    errno.ENOSPC: "the disk is full; free some space and try again",
    errno.EDQUOT: "the disk quota is used up; free some space and try again",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "this user may not write there",
    errno.EPERM: "this user may not write there",
    errno.EIO: "the disk reports an input/output error",
}


class Disk(Protocol):
    """The operations by which files change; each as the function of that name in `os`."""

    def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        """Open a file or folder."""

    def write(self, fd: int, data: bytes | memoryview, /) -> int:
        """Write some of `data`; how much."""

    def fsync(self, fd: int) -> None:
        """Make what was written durable; of a folder, its entries."""

    def close(self, fd: int) -> None:
        """Close a file or folder."""

    def replace(self, src: Path, dst: Path) -> None:
        """Rename over what is there."""

    def unlink(self, path: Path) -> None:
        """Remove a file."""

    def mkdir(self, path: Path, mode: int = 0o777) -> None:
        """Make a folder."""


disk: Disk = os


@contextlib.contextmanager
def storage(path: Path) -> Iterator[None]:
    """Within this context an OSError becomes a StorageError that names `path` and says why."""
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
        raise StorageError(f"{path}: {reason}") from error


def make_folder(path: Path) -> None:
    """Make the folder `path` and its parents, durably. Raises StorageError."""
    if path.is_dir():
        return
    make_folder(path.parent)
    with storage(path), contextlib.suppress(FileExistsError):
        disk.mkdir(path)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make renames in the folder `path` durable. Raises StorageError."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


def write(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replace the file at `path` by `data`: after a crash it holds the old bytes or the new.

    Raises StorageError.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    with storage(path):
        try:
            handle = disk.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
            try:
                _write_all(handle, data)
                disk.fsync(handle)
            finally:
                disk.close(handle)
            disk.replace(temporary, path)
        except OSError:
            with contextlib.suppress(OSError):
                disk.unlink(temporary)
            raise
    sync_folder(path.parent)


def append(path: Path, data: bytes) -> None:
    """Add `data` to the file at `path`, durably; a crash, or a full disk, may leave a part of it.

    Raises StorageError.
    """
    new = not path.exists()
    with storage(path):
        handle = disk.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            _write_all(handle, data)
            disk.fsync(handle)
        finally:
            disk.close(handle)
    if new:
        sync_folder(path.parent)


@contextlib.contextmanager
def gathering(path: Path, go_on: bool) -> Iterator[Callable[[bytes], None]]:
    """A file that grows by whatever the function is called with, after its bytes when `go_on`.

    What was written is there when this process dies, but durable only once it was settled. Raises
    StorageError.
    """
    start = os.O_APPEND if go_on else os.O_TRUNC
    with storage(path):
        handle = disk.open(path, os.O_WRONLY | os.O_CREAT | start, 0o644)
        try:
            yield lambda data: _write_all(handle, data)
        finally:
            disk.close(handle)


def settle(path: Path, final: Path) -> None:
    """Make the file at `path` durable, then its place at `final`. Raises StorageError.

    It is synced here, whoever wrote it: that may have been a process that was killed before it
    could.
    """
    _sync(path, os.O_RDONLY)
    with storage(final):
        disk.replace(path, final)
    sync_folder(final.parent)


def remove(path: Path) -> None:
    """Remove the file at `path`, if it is there. Raises StorageError."""
    with storage(path), contextlib.suppress(FileNotFoundError):
        disk.unlink(path)


def read(path: Path, limit: int, what: str) -> bytes:
    """The bytes of the file at `path`, at most `limit` of them; `what` names it in errors.

    Raises MissingError when it is not there, StorageError when it cannot be read or is longer.
    """
    return read_parts(path, 0, limit, what)[1]


def read_parts(path: Path, head: int, limit: int, what: str) -> tuple[bytes, bytes]:
    """The first `head` bytes of the file at `path`, and the others without a copy: see `read`."""
    try:
        with storage(path), path.open("rb") as file:
            first, data = file.read(head), file.read(limit - head + 1)
    except StorageError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise MissingError(f"{path} does not exist; expected {what}") from None
        raise
    if len(first) + len(data) > limit:
        raise StorageError(f"{path} is longer than {limit} bytes; expected {what}")
    return first, data


def _sync(path: Path, flags: int) -> None:
    with storage(path):
        handle = disk.open(path, flags)
        try:
            disk.fsync(handle)
        finally:
            disk.close(handle)


def _write_all(handle: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[disk.write(handle, rest) :]
