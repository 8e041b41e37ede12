"""The ETag of the timestamp that is cached: with it, one short request tells that nothing is new.

A 304 stands for two answers that a TUF client would otherwise ask for: "there is no next root" and
"the timestamp is still this one". Whoever can forge it can forge both, so it is believed no further
than they are: up to the expiry of what is cached, which is verified again at each poll
(docs/decisions/0035).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from edge_runtime import durable
from edge_runtime.contract import digest, encode
from edge_runtime.errors import MissingError, StorageError
from edge_runtime.trust.origin import ETAG

MAX_BYTES = 1024
MAX_TIMESTAMP_BYTES = 16_384  # as tuf's own limit


class _Known(Struct, frozen=True, forbid_unknown_fields=True):
    """`etag` came with the timestamp of `sha256`."""

    etag: Annotated[str, Meta(pattern=ETAG)]
    sha256: str


@dataclass(frozen=True)
class KnownTimestamp:
    """The timestamp in the folder of cached metadata, and the ETag that came with it."""

    folder: Path

    def load(self) -> tuple[str, bytes] | None:
        """The ETag and the bytes that it belongs to; None unless just these are cached."""
        try:
            known = msgspec.json.decode(durable.read(self._file, MAX_BYTES, "an ETag"), type=_Known)
            data = self._timestamp()
        except (MissingError, StorageError, msgspec.DecodeError, UnicodeDecodeError):
            return None
        return (known.etag, data) if digest(data) == known.sha256 else None

    def keep(self, etag: str, sha256: str) -> None:
        """Remember `etag`, if the timestamp that it came with is the one that is cached now.

        Raises StorageError.
        """
        if etag and digest(self._timestamp()) == sha256:
            durable.write(self._file, encode(_Known(etag, sha256)))

    @property
    def _file(self) -> Path:
        return self.folder / "timestamp.etag"

    def _timestamp(self) -> bytes:
        return durable.read(self.folder / "timestamp.json", MAX_TIMESTAMP_BYTES, "a timestamp")
