"""The journal of slots on disk: two sealed copies, so that one damaged file loses nothing.

Each copy holds the whole journal, its generation and a digest of both, and is replaced atomically,
one after the other. The newest intact one counts. A journal of before there were copies is read
where there is none of them.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import Struct

from edge_runtime import durable
from edge_runtime.contract import decode, digest
from edge_runtime.errors import ContractError, MissingError, StorageError
from edge_runtime.store.slots import Journal

MAX_JOURNAL_BYTES = 4 * 1024 * 1024


class _Sealed(Struct, frozen=True, forbid_unknown_fields=True):
    sha256: str
    generation: int
    journal: msgspec.Raw  # the very bytes that were sealed, whatever fields journals get later


@dataclass(frozen=True)
class _Copy:
    generation: int
    journal: Journal


def copies(path: Path) -> tuple[Path, Path]:
    """Where the two copies of the journal `path` lie."""
    return path.with_suffix(".a.json"), path.with_suffix(".b.json")


def journal_stamp(path: Path) -> tuple[tuple[int, int], ...]:
    """What changes whenever the journal at `path` does."""
    found = []
    for file in (path, *copies(path)):
        with contextlib.suppress(OSError):  # not there, or about to be replaced
            status = file.stat()
            found.append((status.st_ino, status.st_mtime_ns))
    return tuple(found)


def load_journal(path: Path) -> Journal:
    """The journal at `path`; an empty one when there is none. Raises StorageError."""
    newest = _newest(path)
    if newest is not None:
        return newest.journal
    if any(copy.exists() for copy in copies(path)):
        raise StorageError(
            f"both copies of the journal at {path} are damaged; `edge-runtime once` mends it"
        )
    try:
        data = durable.read(path, MAX_JOURNAL_BYTES, "the journal of slots")
    except MissingError:
        return Journal()
    try:
        return decode(data, Journal, str(path))
    except ContractError as error:
        raise StorageError(f"{path} is damaged ({error}); `edge-runtime once` mends it") from error


def save_journal(path: Path, journal: Journal) -> None:
    """Replace the journal at `path`. Raises StorageError."""
    newest = _newest(path)
    generation = newest.generation + 1 if newest is not None else 1
    raw = msgspec.json.encode(journal)
    data = msgspec.json.encode(_Sealed(_seal(generation, raw), generation, msgspec.Raw(raw)))
    for copy in copies(path):
        durable.write(copy, data)
    if path.exists():
        durable.remove(path)  # of before there were copies: it would only be older


def _newest(path: Path) -> _Copy | None:
    found = [intact for copy in copies(path) if (intact := _copy(copy)) is not None]
    return max(found, key=lambda copy: copy.generation, default=None)


def _copy(path: Path) -> _Copy | None:
    try:
        data = durable.read(path, MAX_JOURNAL_BYTES, "the journal of slots")
        sealed = decode(data, _Sealed, str(path))
        raw = bytes(sealed.journal)
        if _seal(sealed.generation, raw) != sealed.sha256:
            return None
        return _Copy(sealed.generation, decode(raw, Journal, str(path)))
    except (MissingError, StorageError, ContractError):
        return None


def _seal(generation: int, raw: bytes) -> str:
    return digest(b"%d %s" % (generation, raw))
