"""A manifest as raw lines: what can be compared, skipped or found again without being parsed.

A line that stands word for word in two manifests says the same in both, so most lines need no
parsing. What has to be looked at is read as a `Row`: an item without the checks on ranges and
patterns, for a third of the time.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import msgspec
from msgspec import Struct, field

from edgefactory.datasets.documents import Box, Item
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.manifest import (
    FIRST_FORM,
    MAX_LINE_BYTES,
    manifest_path,
    read_header,
    read_lines,
    stream_items,
    write_manifest,
)

_ID_START: Final = b'{"id":"'
_ID_BYTES: Final = slice(7, 71)  # of a line as `write_manifest` writes it
_ID_END: Final = b'",'
_BLOCK: Final = 4096  # bytes read at once for a single line


T = TypeVar("T")


class Mark(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A `Label`, its values unchecked."""

    class_: str = field(name="class")
    box: Box | None
    origin: str
    score: float
    state: str
    ignore: bool = False
    bound: str | None = None


class Row(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """An `Item`, its values unchecked."""

    id: str
    file: str
    width: int
    height: int
    source: str
    frame: int | None
    captured_at: float
    split: str
    labels: tuple[Mark, ...]
    name: str | None = None
    reviewed: bool = False


class Lines:
    """The raw lines of the manifest in `folder`; a context manager.

    A snapshot/1 manifest, which has no lines, is first written anew in a temporary folder.
    Raises `MissingError` when there is no manifest, `InputError` when it cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.header = read_header(folder)
        self.path = manifest_path(folder)
        self._rows = msgspec.json.Decoder(Row)
        self._items = msgspec.json.Decoder(Item)
        with ExitStack() as opened:
            if self.path.name == FIRST_FORM:
                made = opened.enter_context(tempfile.TemporaryDirectory(prefix="manifest-"))
                write_manifest(Path(made), self.header, stream_items(folder))
                self.path = manifest_path(Path(made))
            self._file = opened.enter_context(self.path.open("rb"))
            self._opened = opened.pop_all()
        self.size = os.fstat(self._file.fileno()).st_size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._opened.close()

    def each(self) -> Iterator[tuple[int, bytes]]:
        """Every item's line and where it begins, in bytes from the start of the file."""
        lines = read_lines(self.path)
        offset = len(next(lines)[1])
        for _, line in lines:
            yield offset, line
            offset += len(line)

    def at(self, offset: int) -> bytes:
        """The line that begins at `offset`, as `each` gave it."""
        line, size = b"", _BLOCK
        while b"\n" not in line:
            line = os.pread(self._file.fileno(), size, offset)
            if b"\n" not in line and (len(line) < size or size > MAX_LINE_BYTES):
                raise InputError(f"{self.path} was changed while it was read; run it again")
            size *= 2
        return line[: line.index(b"\n") + 1]

    def row(self, line: bytes) -> Row:
        """The line parsed. Raises `InputError` when it is no item."""
        return self._parsed(self._rows, line)

    def item(self, line: bytes) -> Item:
        """The line parsed with all checks of an `Item`. Raises `InputError` when it is none."""
        return self._parsed(self._items, line)

    def _parsed(self, decoder: msgspec.json.Decoder[T], line: bytes) -> T:
        try:
            return decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{self.path} holds a line that is not an item: {error}") from error

    @staticmethod
    def of_one_picture(line: bytes, other: bytes) -> bool:
        """Whether two lines, each from its manifest, begin with the same id; the usual case."""
        return line[: _ID_BYTES.stop] == other[: _ID_BYTES.stop] and line.startswith(_ID_START)

    def id_of(self, line: bytes) -> bytes:
        """The item's id, 16 bytes of the picture's SHA-256: enough to tell pictures apart."""
        digits = line[_ID_BYTES]
        if not (line.startswith(_ID_START) and line[71:73] == _ID_END):
            digits = self.row(line).id.encode()
        try:
            return bytes.fromhex(digits[:32].decode())
        except ValueError as error:
            raise InputError(f"{self.path} holds an id that is no SHA-256: {digits!r}") from error
