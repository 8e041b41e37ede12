"""Memory that two processes see: pictures, outputs and a model's files do not travel."""

import fcntl
import mmap
import os
from collections.abc import Iterable

from edge_runtime.errors import RefusedError

MAX_REGION = 1 << 30  # bytes


class Region:
    """Memory without a name that two processes see. It can grow and never shrinks, so that
    neither can take away what the other is looking at."""

    def __init__(self, handle: int | None = None) -> None:
        if handle is None:
            flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
            handle = os.memfd_create("edge-runtime", flags)
            fcntl.fcntl(handle, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
        self.handle = handle
        self._map: mmap.mmap | None = None

    def view(self, size: int) -> memoryview:
        """The first `size` bytes, growing where there are fewer. Raises RefusedError."""
        if not 0 < size <= MAX_REGION:
            raise RefusedError(f"{size} bytes between engine and worker; at most {MAX_REGION}")
        if self._map is None or len(self._map) < size:
            if os.fstat(self.handle).st_size < size:
                os.ftruncate(self.handle, size)
            self._map = mmap.mmap(self.handle, size)  # the old one goes with its last view
        return memoryview(self._map)[:size]

    def fill(self, parts: Iterable[bytes]) -> None:
        """Begin with `parts`, one after the other. Python's lock is left, which a view would keep.

        Raises RefusedError.
        """
        end = 0
        for part in parts:
            rest = memoryview(part)
            if end + len(rest) > MAX_REGION:
                raise RefusedError(f"more than {MAX_REGION} bytes between engine and worker")
            while rest:
                try:
                    count = os.pwrite(self.handle, rest, end)
                except OSError as error:
                    raise RefusedError(f"no memory for the model: {error.strerror}") from error
                rest, end = rest[count:], end + count

    def close(self) -> None:
        """Give back our part of it; the second time there is nothing to give."""
        self._map = None
        handle, self.handle = self.handle, -1
        if handle >= 0:
            os.close(handle)
