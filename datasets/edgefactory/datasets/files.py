"""Writing results so that nothing half-written is ever seen under its final name."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgefactory.datasets.errors import InputError, MissingError, StorageError


@contextmanager
def fresh_folder(out: Path, *markers: str) -> Iterator[Path]:
    """A new empty folder beside `out` that becomes `out` when the block ends without an error.

    An earlier result at `out` is replaced; it is recognised by one of the files `markers` in it,
    and any other non-empty folder is refused with `InputError`. `OSError` becomes `StorageError`.
    What a killed run left beside `out` is removed; two runs at once into one folder are not
    supported.
    """
    with storage_errors(out):
        require_replaceable(out, *markers)
        out.parent.mkdir(parents=True, exist_ok=True)
        work, old = (out.with_name(f".{out.name}.{part}") for part in ("partial", "old"))
        try:
            for left in (work, old):
                shutil.rmtree(left, ignore_errors=True)
            work.mkdir()
            yield work
            if out.exists():
                out.rename(old)
            work.rename(out)
        finally:
            for left in (work, old):
                shutil.rmtree(left, ignore_errors=True)


def require_replaceable(out: Path, *markers: str) -> None:
    """Raise `InputError` when `out` is there, is not empty and holds none of the files `markers`.

    Long work asks this before it starts; `fresh_folder` asks it in any case.
    """
    with storage_errors(out):
        if not out.exists() or any((out / marker).is_file() for marker in markers):
            return
        if out.is_file() or any(out.iterdir()):
            raise InputError(f"{out} exists and holds no {markers[0]}: it is not replaced")


def write_file(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write `content` to `path` through a temporary sibling, which only its owner can read.

    Raises `StorageError` if that fails.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(name).chmod(mode)
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)


@contextmanager
def storage_errors(where: Path) -> Iterator[None]:
    """Turn `OSError` in the block into a `StorageError` of one line that names `where`."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(f"{where}: the disk is full; free some space and rerun") from error
        raise StorageError(f"{where} cannot be written: {error.strerror or error}") from error


def read_bytes(path: Path, limit: int, what: str) -> bytes:
    """The bytes of an input file of at most `limit` bytes.

    Raises `MissingError` when it is not there, `InputError` when it cannot be read, is empty, or
    is larger. `what` names the kind of file in the message.
    """
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except FileNotFoundError as error:
        raise MissingError(f"{what} {path} is not there") from error
    except OSError as error:
        raise InputError(f"{what} {path} cannot be read: {error.strerror}") from error
    if not content:
        raise InputError(f"{what} {path} is empty")
    if len(content) > limit:
        raise InputError(f"{what} {path} is larger than {limit} bytes")
    return content


def user_folder(variable: str, otherwise: str) -> Path:
    """`edgefactory` in the folder that the environment's `variable` names, else in `~/otherwise`.

    As the XDG Base Directory Specification has it, a path that is not absolute does not count.
    """
    base = Path(os.environ.get(variable, ""))
    return (base if base.is_absolute() else Path.home() / otherwise) / "edgefactory"


def file_sha256(path: Path, what: str) -> str:
    """SHA-256 of a file, read in blocks; errors as `read_bytes`."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise MissingError(f"{what} {path} is not there") from error
    except OSError as error:
        raise InputError(f"{what} {path} cannot be read: {error.strerror}") from error
