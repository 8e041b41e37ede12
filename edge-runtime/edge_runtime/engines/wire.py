"""What a session and its worker process say to each other, and the memory that they share.

A message is one JSON datagram of at most MAX_MESSAGE bytes. Pictures and outputs do not travel:
they lie in memory that both see. The parent sends `Open`, answered by `Opened` or `Refused`, then
`Run` as often as it likes, each answered by `Ran` or `Refused`; a closed socket ends the worker.
"""

import fcntl
import mmap
import os
import socket
from collections.abc import Mapping
from typing import TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct

from edge_runtime.contract import Engine, Precision, Provider
from edge_runtime.errors import RefusedError

MAX_MESSAGE = 64 * 1024
MAX_REGION = 1 << 30  # bytes of one batch, or of what came of it
_ALIGN = 64

Array = npt.NDArray[np.generic]
T = TypeVar("T")


class Open(Struct, frozen=True, tag="open"):
    """Load the files that lie one after the other in the content: name → bytes.

    `kept` is the folder of compiled models, "" for none.
    """

    engine: Engine
    precision: Precision
    main: str
    files: dict[str, int]
    threads: int
    kept: str
    provider: Provider | None = None


class Opened(Struct, frozen=True, tag="opened"):
    """The model is loaded and has run once; what it takes, as `InputTensor`."""

    kind: str
    shape: tuple[int | None, ...]


class Run(Struct, frozen=True, tag="run"):
    """Run the batch uint8 of this shape."""

    shape: tuple[int, ...]


class Placed(Struct, frozen=True):
    """An output, and where it lies."""

    kind: str
    shape: tuple[int, ...]
    offset: int


class Ran(Struct, frozen=True, tag="ran"):
    """The outputs by name."""

    outputs: dict[str, Placed]


class Refused(Struct, frozen=True, tag="refused"):
    """It cannot be done; the code is the error's exit code."""

    exit_code: int
    error: str


Question = Open | Run
Answer = Opened | Ran | Refused


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

    def close(self) -> None:
        """Give back our part of it."""
        self._map = None
        os.close(self.handle)


def place(outputs: Mapping[str, Array], region: Region) -> Ran:
    """Copy `outputs` into `region`."""
    placed: dict[str, Placed] = {}
    end = 0
    for name, array in outputs.items():
        placed[name] = Placed(array.dtype.str, array.shape, end)
        end += -(-array.nbytes // _ALIGN) * _ALIGN
    view = region.view(max(end, 1))
    for name, array in outputs.items():
        _array(view, placed[name])[...] = array
    return Ran(placed)


def take(ran: Ran, region: Region) -> dict[str, Array]:
    """Copies of the outputs that lie in `region`."""
    ends = [p.offset + _bytes(p) for p in ran.outputs.values()]
    view = region.view(max(*ends, 1, 1))
    return {name: _array(view, placed).copy() for name, placed in ran.outputs.items()}


def _bytes(placed: Placed) -> int:
    return int(np.prod(placed.shape, dtype=np.int64)) * np.dtype(placed.kind).itemsize


def _array(view: memoryview, placed: Placed) -> Array:
    return np.ndarray(placed.shape, np.dtype(placed.kind), view, placed.offset)


def send(talk: socket.socket, message: Struct) -> None:
    """Send one message. Raises OSError."""
    talk.send(msgspec.json.encode(message))


def receive(talk: socket.socket, kind: type[T]) -> T | None:
    """The next message, None when the other has gone. Raises OSError, TimeoutError."""
    data = talk.recv(MAX_MESSAGE)
    return msgspec.json.decode(data, type=kind) if data else None
