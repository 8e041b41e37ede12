"""How files reach the disk: whole or not at all, and only with the bytes that they should have."""

import contextlib
import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from edge_runtime.contract import FileRef, decode, file_digest
from edge_runtime.errors import ContractError
from edgefactory.datasets.errors import InputError, MissingError, StorageError, TrustError

T = TypeVar("T")


def storage_error(path: Path, error: OSError) -> StorageError:
    """The one-line error for a write to `path` that failed."""
    if error.errno == errno.ENOSPC:
        return StorageError(f"{path}: the disk is full; free some space and run again")
    return StorageError(f"{path} cannot be written: {error.strerror or error}")


def make_folder(path: Path, mode: int = 0o755) -> None:
    """Create `path` and its missing parents so that they survive a power cut."""
    if path.is_dir():
        return
    make_folder(path.parent)
    try:
        path.mkdir(mode=mode, exist_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        raise storage_error(path, error) from error


def write_atomic(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Put `data` at `path`: a reader sees the old bytes or the new ones, also after a power cut."""
    make_folder(path.parent)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise storage_error(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def read_bounded(path: Path, limit: int) -> bytes:
    """The bytes of the file at `path`, of at most `limit`. Raises MissingError, InputError."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except FileNotFoundError:
        raise MissingError(f"{path} does not exist") from None
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > limit:
        raise InputError(f"{path} is larger than {limit} bytes")
    return data


def parse(data: bytes, kind: type[T], source: str) -> T:
    """The document `data` as `kind`; InputError when it is not valid. `source` names it."""
    try:
        return decode(data, kind, source)
    except ContractError as error:
        raise InputError(str(error)) from error


def read_blob(path: Path, ref: FileRef) -> bytes:
    """The bytes of `path`, which must be those of `ref`. Raises MissingError, TrustError."""
    try:
        data = read_bounded(path, ref.bytes)
    except InputError:
        raise TrustError(f"{path} is longer than the {ref.bytes} bytes stated for it") from None
    found = hashlib.sha256(data).hexdigest()
    if found != ref.sha256 or len(data) != ref.bytes:
        raise TrustError(f"{path} has SHA-256 {found[:12]}…, expected {ref.sha256[:12]}…")
    return data


def is_blob(path: Path, ref: FileRef) -> bool:
    """Whether `path` holds exactly the bytes of `ref`."""
    try:
        return path.stat().st_size == ref.bytes and file_digest(path) == ref.sha256
    except OSError:
        return False


def copy_blob(source: Path, ref: FileRef, folder: Path) -> None:
    """Copy `source` to `folder`/<sha256>; nothing is written unless what is read is `ref`.

    A blob that is already there, and whole, is left alone. Raises MissingError, TrustError.
    """
    target = folder / ref.sha256
    if not is_blob(target, ref):
        write_atomic(target, read_blob(source, ref))


def plain_name(name: str) -> bool:
    """Whether `name` is one file name, with no way to lead out of its folder."""
    return (
        name not in {"", ".", ".."} and not name.startswith(".") and not set(name) & set("/\\\0:")
    )


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the only right to write to `folder`; the lock lies beside it and dies with its holder.

    Raises StorageError when another process holds it.
    """
    make_folder(folder.parent)
    path = folder.with_name(f".{folder.name}.lock")
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise storage_error(path, error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise StorageError(
            f"{folder} is being written by another publisher; run again when it has ended"
        ) from None
    finally:
        os.close(handle)


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
