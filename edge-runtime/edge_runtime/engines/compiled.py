"""Compiled models that a box keeps so that the next start is quick: verified whenever read."""

import contextlib
import logging
from dataclasses import dataclass
from pathlib import Path

from edge_runtime import durable
from edge_runtime.contract import digest
from edge_runtime.errors import MissingError, StorageError

MAX_COMPILED_BYTES = 1 << 30
_HEAD = 64  # bytes
MOST = 16  # kept; the oldest give way

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Compiled:
    """A folder of them, for the model whose files have the digests `model`. Each file begins with
    the SHA-256 (hex) of what follows. One of over `room` bytes is not kept."""

    folder: Path
    model: tuple[str, ...]
    room: int = MAX_COMPILED_BYTES

    def get(self, key: str) -> bytes | None:
        """What was kept as `key`; None when there is nothing, or it is damaged."""
        path, what = self._path(key), "a compiled model"
        try:
            head, data = durable.read_parts(path, _HEAD, MAX_COMPILED_BYTES, what)
        except (MissingError, StorageError):
            return None
        return data if head == digest(data).encode() else None

    def put(self, key: str, data: bytes) -> None:
        """Keep `data` as `key`, if that can be done."""
        if len(data) > self.room:
            log.info("the compiled model was not kept: the site's quota has no room for it")
            return
        try:
            durable.make_folder(self.folder)
            durable.write(self._path(key), digest(data).encode() + data)
            self._tidy()
        except StorageError as error:
            log.warning("the compiled model was not kept: %s", error)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.blob"

    def _tidy(self) -> None:
        with durable.storage(self.folder):
            files = sorted(self.folder.glob("*.blob"), key=lambda path: path.stat().st_mtime)
        for path in files[:-MOST]:
            with contextlib.suppress(OSError):
                path.unlink()
