"""Documents that were fetched before, by the digest that is signed now: unchanged, none is asked
for again.

Of each kind and model there is the newest only, in the place of the one before. All may be lost at
any time.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

from edge_runtime import durable
from edge_runtime.contract import FileRef, digest
from edge_runtime.errors import MissingError, StorageError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Documents:
    """What is kept in `folder`, under names of any kind."""

    folder: Path

    def read(self, name: str, ref: FileRef) -> bytes | None:
        """The document `name`, if what is kept of it is intact and is that of `ref`."""
        try:
            data = durable.read(self._path(name), ref.bytes, "a document")
        except (MissingError, StorageError):
            return None
        return data if digest(data) == ref.sha256 else None

    def keep(self, name: str, data: bytes) -> None:
        """Keep `data` as `name`; where that cannot be done, it is asked for again."""
        try:
            durable.make_folder(self.folder)
            durable.write(self._path(name), data)
        except StorageError as error:
            log.warning("a document is not kept: %s", error)

    def _path(self, name: str) -> Path:
        return self.folder / digest(name.encode())
