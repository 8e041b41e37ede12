"""Events of a stream that never ends: a line of JSON each, durable, in files of bounded size."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from edge_runtime import durable
from edge_runtime.contract import Event
from edge_runtime.errors import MissingError

MAX_BYTES: Final = 1024 * 1024
KEPT: Final = 4  # older files: NAME.jsonl.1 and on


class EventLog:
    """Appends to one file; when it is full, it becomes the newest of KEPT older ones."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._whole = False  # its last line, for certain

    def add(self, events: Sequence[Event]) -> None:
        """Write `events`; when this returns they survive a power cut. Raises StorageError."""
        data = b"".join(msgspec.json.encode(event) + b"\n" for event in events)
        durable.make_folder(self._path.parent)
        if not self._whole:
            self._mend()
        with durable.storage(self._path):
            size = self._path.stat().st_size if self._path.exists() else 0
        if size and size + len(data) > MAX_BYTES:
            self._rotate()
        self._whole = False
        durable.append(self._path, data)
        self._whole = True

    def _mend(self) -> None:
        """Cut off a line that a power cut, or a full disk, left half written."""
        try:
            data = durable.read(self._path, 2 * MAX_BYTES, "events")
        except MissingError:
            return
        whole = data[: data.rfind(b"\n") + 1]
        if whole != data:
            durable.write(self._path, whole)

    def _rotate(self) -> None:
        for number in range(KEPT - 1, 0, -1):
            older = _numbered(self._path, number)
            if older.exists():
                durable.settle(older, _numbered(self._path, number + 1))
        durable.settle(self._path, _numbered(self._path, 1))


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")
