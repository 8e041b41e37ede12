"""What a session and its worker process say to each other, and the memory that they share.

A message is one JSON datagram of at most MAX_MESSAGE bytes. Pictures and outputs do not travel:
they lie in memory that both see. The parent sends `Open`, answered by `Opened` or `Refused`, then
`Run` as often as it likes, each answered by `Ran` or `Refused`; a closed socket ends the worker.
"""

import socket
from collections.abc import Mapping
from typing import TypeVar

import msgspec
from msgspec import Struct

from edge_runtime.contract import Engine, FileRef, Precision, Provider
from edge_runtime.engines.tensors import OutputTensor
from edge_runtime.regions import Region

MAX_MESSAGE = 64 * 1024
_ALIGN = 64

T = TypeVar("T")


class Open(Struct, frozen=True, tag="open"):
    """Load the files that lie one after the other in the content, and are what they are said to be.

    `kept` is the folder of compiled models, "" for none; one may have `room` bytes.
    """

    engine: Engine
    precision: Precision
    main: str
    files: dict[str, FileRef]
    threads: int
    kept: str
    room: int
    provider: Provider | None = None


class Opened(Struct, frozen=True, tag="opened"):
    """The model is loaded and has run once; what it takes, as `InputTensor`."""

    kind: str
    shape: tuple[int | None, ...]


class Run(Struct, frozen=True, tag="run"):
    """Run the batch uint8 of this shape."""

    shape: tuple[int, ...]


class Placed(Struct, frozen=True):
    """An output, and where it lies: `bytes` of them from `offset` on."""

    kind: str
    shape: tuple[int, ...]
    offset: int
    bytes: int


class Ran(Struct, frozen=True, tag="ran"):
    """The outputs by name."""

    outputs: dict[str, Placed]


class Refused(Struct, frozen=True, tag="refused"):
    """It cannot be done; the code is the error's exit code."""

    exit_code: int
    error: str


Question = Open | Run
Answer = Opened | Ran | Refused


def place(outputs: Mapping[str, OutputTensor], region: Region) -> Ran:
    """Copy `outputs` into `region`."""
    placed: dict[str, Placed] = {}
    end = 0
    for name, output in outputs.items():
        placed[name] = Placed(output.kind, output.shape, end, output.data.nbytes)
        end += -(-output.data.nbytes // _ALIGN) * _ALIGN
    view = region.view(max(end, 1))
    for name, output in outputs.items():
        start = placed[name].offset
        view[start : start + output.data.nbytes] = output.data
    return Ran(placed)


def send(talk: socket.socket, message: Struct) -> None:
    """Send one message. Raises OSError."""
    talk.send(msgspec.json.encode(message))


def receive(talk: socket.socket, kind: type[T]) -> T | None:
    """The next message, None when the other has gone. Raises OSError, TimeoutError."""
    data = talk.recv(MAX_MESSAGE)
    return msgspec.json.decode(data, type=kind) if data else None
