"""Files that survive a power cut: written beside, synced, renamed, and the folder synced."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from edge_runtime.errors import MissingError, StorageError

_REASONS = {
    errno.ENOSPC: "the disk is full; free some space and try again",
    errno.EDQUOT: "the disk quota is used up; free some space and try again",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "this user may not write there",
    errno.EPERM: "this user may not write there",
    errno.EIO: "the disk reports an input/output error",
}


@contextlib.contextmanager
def storage(path: Path) -> Iterator[None]:
    """Within this context an OSError becomes a StorageError that names `path` and says why."""
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
        raise StorageError(f"{path}: {reason}") from error


def make_folder(path: Path) -> None:
    """Make the folder `path` and its parents. Raises StorageError."""
    with storage(path):
        path.mkdir(parents=True, exist_ok=True)


def sync_folder(path: Path) -> None:
    """Make renames in the folder `path` durable. Raises StorageError."""
    with storage(path):
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replace the file at `path` by `data`: after a crash it holds the old bytes or the new.

    Raises StorageError.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    with storage(path):
        try:
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
    sync_folder(path.parent)


def read(path: Path, limit: int, what: str) -> bytes:
    """The bytes of the file at `path`, at most `limit` of them; `what` names it in errors.

    Raises MissingError when it is not there, StorageError when it cannot be read or is longer.
    """
    try:
        with storage(path), path.open("rb") as file:
            data = file.read(limit + 1)
    except StorageError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise MissingError(f"{path} does not exist; expected {what}") from None
        raise
    if len(data) > limit:
        raise StorageError(f"{path} is longer than {limit} bytes; expected {what}")
    return data
