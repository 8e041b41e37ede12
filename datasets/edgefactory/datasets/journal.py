"""What long work has finished, one JSON line at a time, so that a killed run can go on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Generic, TypeVar

import msgspec

from edgefactory.datasets.files import storage_errors

_MAX_LINE_BYTES: Final = 16 * 2**20

T = TypeVar("T", bound=msgspec.Struct)


def journal_path(folder: Path, name: str, key: object) -> Path:
    """The journal in `folder` of the work that `key` (JSON values) says everything about."""
    digest = hashlib.sha256(msgspec.json.encode(key)).hexdigest()
    return folder / f"{name}-{digest[:32]}.jsonl"


class Journal(Generic[T]):
    """Append-only JSON lines of entries of one kind.

    A line that a kill has cut off is ignored: its work is done again.
    """

    def __init__(self, path: Path, kind: type[T]) -> None:
        """Nothing is opened or made before the first entry."""
        self.path = path
        self._decoder = msgspec.json.Decoder(kind)

    def read(self) -> Iterator[T]:
        """The entries that are there, oldest first; memory is bounded by the longest line."""
        if not self.path.is_file():
            return
        with storage_errors(self.path), self.path.open("rb") as file:
            while line := file.readline(_MAX_LINE_BYTES):
                try:
                    entry = self._decoder.decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    continue
                yield entry

    def append(self, entries: Iterable[T]) -> None:
        """Add finished work; with the operating system when this returns.

        Raises `StorageError` when it cannot be written.
        """
        lines = b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
        with storage_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                # The leading newline ends a line that a kill may have cut off.
                file.write(b"\n" + lines)
