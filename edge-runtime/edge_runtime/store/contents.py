"""Files by their content: what is read is verified every time, and handed on as those bytes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_runtime import durable
from edge_runtime.contract import FileRef, digest
from edge_runtime.errors import MissingError, StorageError


@dataclass(frozen=True)
class Contents:
    """The folder `blobs` of files named by SHA-256, and `partial` for those still on the way.

    `room` says how many bytes of compiled models may still be kept beside them: none in a folder
    that is not a site's state.
    """

    blobs: Path
    partial: Path
    room: Callable[[], int] = lambda: 0

    @property
    def built(self) -> Path:
        """Where engines lie that this box has made itself, and what it attests of them."""
        return self.blobs.parent / "built"

    def path(self, ref: FileRef) -> Path:
        """Where the content of `ref` lies, or will lie."""
        return self.blobs / ref.sha256

    def holds(self, ref: FileRef) -> bool:
        """True when the content of `ref` is here and intact."""
        try:
            self.read(ref)
        except (MissingError, StorageError):
            return False
        return True

    def read(self, ref: FileRef) -> bytes:
        """The content of `ref`. Raises MissingError, or StorageError when it is damaged."""
        path = self.path(ref)
        data = durable.read(path, ref.bytes, f"{ref.bytes} bytes of a release")
        if digest(data) != ref.sha256:
            raise StorageError(f"{path} is damaged on disk; run `edge-runtime once` to fetch anew")
        return data

    def put(self, data: bytes) -> FileRef:
        """Keep `data` durably. Raises StorageError."""
        ref = FileRef(digest(data), len(data))
        if not self.holds(ref):
            durable.write(self.path(ref), data)
        return ref

    def settle(self) -> None:
        """What is held survives a power cut from now on, also what a killed process renamed.

        Raises StorageError.
        """
        durable.sync_folder(self.blobs)

    def prepare(self) -> None:
        """Make the folders. Raises StorageError."""
        durable.make_folder(self.blobs)
        durable.make_folder(self.partial)
