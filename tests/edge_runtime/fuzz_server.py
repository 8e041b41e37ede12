"""What clients send to the server, through its real connection, application and workers.

The wire is in memory and the models are trivial, so that a case takes a fraction of a
millisecond; the parser, the protocol, the decoders and the answers are those of a branch.
"""

import json
import logging
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import simplejpeg

from edge_runtime.contract import InputSpec, Outputs, OutputSpec, Release, Signal, Task
from edge_runtime.engines import InputTensor, UInt8
from edge_runtime.hosting import Host, Loaded
from edge_runtime.running import Active
from edge_runtime.serving import Limits
from edge_runtime.serving.application import App
from edge_runtime.serving.connection import Connection, Pending, Reply, Request, Waits
from edge_runtime.serving.connections import Connections
from edge_runtime.serving.http1 import Answer
from edge_runtime.serving.live import Live
from edge_runtime.serving.pool import Pool
from edge_runtime.serving.settings import listen_on

from .fuzzing import Target
from .models import build, png, scene
from .oip.loading import get, loaded, post
from .recordings import AUDIO, FEATURES, npy, tone

SIZE = (16, 12)
TAKEN = InputTensor("uint8", (None, SIZE[1], SIZE[0], 3))
LIMITS = Limits(head_bytes=4096, waiting=4, connections=4)
_LOG = logging.getLogger("edge_runtime.serving")
REFUSED = {*range(400, 500), 503, 505}


@dataclass(frozen=True)
class _Trivial:
    """A session of `task` whose scores are how bright the pictures are."""

    task: Task
    input: InputTensor = TAKEN

    def run(self, batch: UInt8) -> Outputs:
        bright = batch.reshape(len(batch), -1).mean(1, dtype=np.float32)[:, None] / 255
        if self.task == "detection":
            boxes = np.tile(np.array([1, 2, 9, 10], np.float32), (len(batch), 2, 1))
            labels = np.zeros((len(batch), 2), np.int64)
            return {"boxes": boxes, "scores": np.repeat(bright, 2, 1), "labels": labels}
        if self.task == "classification":
            return {"probabilities": np.concatenate([bright, 1 - bright], 1)}
        vectors = np.concatenate([bright, np.sqrt(1 - bright**2)], 1)
        return {"embedding": vectors}


NAMES: Mapping[Task, tuple[str, ...]] = {
    "detection": ("boxes", "scores", "labels"),
    "classification": ("probabilities",),
    "embedding": ("embedding",),
}


def _model(release: Release, task: Task, signal: Signal | None = None) -> Loaded:
    release = msgspec.structs.replace(
        release, name=task, task=task, input=InputSpec(*SIZE), output=OutputSpec(NAMES[task])
    )
    release = msgspec.structs.replace(release, labels=("square", "none"))
    if signal is not None:
        spec = msgspec.structs.replace(release.input, signal=signal)
        release = msgspec.structs.replace(release, input=spec)
    found = loaded(build(1), _Trivial(task)).active
    return Loaded(Active("branch-1", found.slot, release, found.variant), _Trivial(task))


class _Wire:
    """What a socket would be: gives what was sent in pieces, and keeps what is written."""

    number, peer = 1, "127.0.0.1"

    def __init__(self, pieces: list[bytes], slow: bool) -> None:
        self._pieces, self._slow = pieces[::-1], slow
        self._kept = bytearray()
        self.out = bytearray()
        self.shut = self.ended = self.closed = self.reading = False

    def greet(self) -> bool:
        return True

    def read(self, buffer: bytearray) -> int | None:
        assert not self.closed, "read from nobody"
        if not self._pieces:
            return 0 if self.shut else None
        piece = self._pieces.pop()
        buffer[: len(piece)] = piece
        return len(piece)

    def more(self) -> bool:
        return False

    def write(self, data: bytes) -> None:
        assert not self.closed, "written to nobody"
        assert not self.ended, "written after the end"
        self._kept += data
        if not self._slow:
            self.flush()

    def flush(self) -> bool:
        going = min(len(self._kept), 997) if self._slow else len(self._kept)
        self.out += self._kept[:going]
        del self._kept[:going]
        return not self._kept

    def arm(self, reading: bool) -> None:
        assert not self.closed, "armed though nobody is there"
        self.reading = reading

    def awake(self) -> bool:
        """Whether the epoll would tell of it."""
        can_be_read = bool(self._pieces) or self.shut
        return not self.closed and (bool(self._kept) or (self.reading and can_be_read))

    def is_broken(self) -> bool:
        return False

    def half_close(self) -> None:
        self.ended = True

    def close(self) -> None:
        assert not self.closed, "closed twice"
        self.closed = True


@dataclass
class _Noted:
    """The application, and the methods of what it answered ("" where there was no request)."""

    app: App
    methods: list[str] = field(default_factory=list)

    def ask(self, request: Request, reply: Reply) -> Pending | None:
        return self.app.ask(request, reply)

    def told(self, request: Request | None, answer: Answer, sent: int) -> None:
        self.methods.append("" if request is None else request.head.method)
        self.app.told(request, answer, sent)


class _Defects(logging.Handler):
    """What the server logs as an error: it survives defects, but there should be none."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(self.format(record))


class _Box:
    """A server without sockets."""

    def __init__(self) -> None:
        host = Host()
        for task in NAMES:
            host.put(task, _model(build(1).release, task))
        for name, signal in (("sounds", AUDIO), ("tables", FEATURES)):
            host.put(name, _model(build(1).release, "classification", signal))
        live = Live(True)
        self.pool = Pool(host, 1, LIMITS.waiting)
        self.noted = _Noted(App(host, self.pool, lambda: (), LIMITS, live))
        self.room = Connections(LIMITS, self.noted, lambda: None)
        self._descriptors = self._open()
        self._defects = _Defects()
        _LOG.addHandler(self._defects)

    def close(self) -> None:
        _LOG.removeHandler(self._defects)

    def attempt(self, data: bytes) -> None:
        """A client sends `data`. AssertionError for what no client may ever see, or leave."""
        self.noted.methods.clear()
        rng = random.Random(data[-64:])
        wire = _Wire(list(_pieces(rng, data)), slow=rng.random() < 0.1)
        connection = Connection(self.room, listen_on("127.0.0.1:0"), wire)
        how = rng.choice(("waits", "waits", "shuts", "gone"))
        wire.shut = how == "shuts"
        connection.begin()
        self._serve(connection, wire)
        assert connection.waits is not Waits.REQUEST or not connection._inbox, (
            "a request lies there"
        )
        late = how == "waits" and connection.waits in (Waits.HEAD, Waits.BODY)
        if late:
            connection.expired()
            self._serve(connection, wire)
        connection.abort()
        said = list(answers(bytes(wire.out), self.noted.methods))
        for status, headers, body in said:
            _check(status, headers, body, data)
        assert not late or said[-1][0] == 408, "who is too slow was not told so"
        assert wire.closed, "the wire is left open"
        assert not self._defects.said, f"a defect: {self._defects.said}"
        self._require_nothing_left()

    def _serve(self, connection: Connection, wire: _Wire) -> None:
        """Let it have its turns, until the client is waited for."""
        self.pool.work()
        while wire.awake():
            connection.ready()
            self.pool.work()

    def _require_nothing_left(self) -> None:
        """Nothing may be left of a client that has gone."""
        app, room = self.noted.app, self.room
        left = {
            "requests": app.in_flight,
            "waiting": self.pool.waiting,
            "running": self.pool.running,
            "bytes": room.held,
            "connections": len(room),
        }
        assert not any(left.values()), f"something is left: {left}"
        assert self._open() == self._descriptors, "a descriptor is left"

    @staticmethod
    def _open() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())


def _pieces(rng: random.Random, data: bytes) -> Iterator[bytes]:
    """`data` as it may come in: whole, in parts, or byte by byte."""
    step = rng.choice((len(data), len(data), max(1, len(data) // 3), 1 if len(data) < 400 else 97))
    for start in range(0, len(data), max(1, step)):
        yield data[start : start + step]


def answers(data: bytes, methods: list[str]) -> Iterator[tuple[int, dict[str, str], bytes]]:
    """The whole answers that `data` consists of, to requests of these methods."""
    for method in methods:
        data = data.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
        head, found, rest = data.partition(b"\r\n\r\n")
        assert found, "an answer without an end of its head"
        first, *lines = head.decode("ascii").split("\r\n")
        version, status, reason = first.split(" ", 2)
        assert (version, bool(reason)) == ("HTTP/1.1", True), first
        headers = dict(line.lower().split(": ", 1) for line in lines)
        assert len(headers) == len(lines), "a header comes twice"
        length = 0 if method == "HEAD" else int(headers["content-length"])
        assert len(rest) >= length, "an answer that breaks off"
        yield int(status), headers, rest[:length]
        data = rest[length:]
    assert data in (b"", b"HTTP/1.1 100 Continue\r\n\r\n"), f"{data[:80]!r} belongs to no answer"


def _check(status: int, headers: Mapping[str, str], body: bytes, asked: bytes) -> None:
    """A success that can be read, or a refusal in a line."""
    may_be_late = b"x-timeout-ms" in asked.lower()
    assert status == 200 or status in REFUSED or (status == 504 and may_be_late), f"status {status}"
    if not body:  # a HEAD has none
        return
    if status == 200:
        if headers["content-type"] in ("application/json", "application/octet-stream"):
            length = int(headers.get("inference-header-content-length", len(body)))
            msgspec.json.decode(body[:length])
        return
    assert body.count(b"\n") == body.endswith(b"\n") == 1, f"no line: {body[:200]!r}"
    (error,) = msgspec.json.decode(body, type=dict[str, str]).values()
    assert error, "an error that says nothing"


def _tensors(**parameters: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "image", **parameters}], "id": "7", "parameters": {}}


def _forms() -> list[tuple[bytes, Callable[[bytes], bytes]]]:
    """What is damaged, and the request that it then is part of."""
    picture = scene((4, 2), size=SIZE)
    small, large = png(picture), png(scene((30, 20)))
    jpeg: bytes = simplejpeg.encode_jpeg(np.ascontiguousarray(scene((30, 20))), quality=80)
    batch = picture[None].tobytes()
    said = json.dumps(
        _tensors(shape=[1, *picture.shape], datatype="UINT8", data=picture.ravel().tolist())
    ).encode()
    binary = _tensors(
        shape=[1, *picture.shape], datatype="UINT8", parameters={"binary_data_size": len(batch)}
    )
    binary["outputs"] = [{"name": "scores", "parameters": {"binary_data": True}}]
    files = b"".join(len(file).to_bytes(4, "little") + file for file in (small, jpeg))
    both = _tensors(shape=[2], datatype="BYTES", parameters={"binary_data_size": len(files)})
    one = _tensors(shape=[1], datatype="BYTES")

    def infer(body: bytes, task: str = "detection", *headers: str) -> bytes:
        return post(f"/v2/models/{task}/infer", body, *headers)

    def extended(document: bytes, tail: bytes, task: str = "detection") -> bytes:
        return infer(document + tail, task, f"Inference-Header-Content-Length: {len(document)}")

    def as_picture(data: bytes) -> bytes:
        return infer(data, "detection", "Content-Type: image/jpeg")

    def to_embedding(data: bytes) -> bytes:
        return infer(data, "embedding", "Content-Type: image/png")

    def with_files(data: bytes) -> bytes:
        document = _tensors(shape=[2], datatype="BYTES", parameters={"binary_data_size": len(data)})
        return extended(json.dumps(document).encode(), data)

    whole: list[bytes] = [
        get("/") + get("/v2") + get("/metrics") + get("/status.json") + get("/v2/health/ready"),
        get("/v2/models/detection") + get("/v2/models/x/versions/1.0.0/ready") + get("/live/x"),
        as_picture(small) + get("/v2/health/live", "Connection: close"),
        infer(said, "classification", "X-Timeout-Ms: 900"),
        extended(json.dumps(binary).encode(), batch),
        infer(small, "classification", "Content-Type: image/png", "Expect: 100-continue"),
        get("/v2").replace(b"GET", b"HEAD") + get("/v2"),
        get("/v2/repository/index", "Authorization: Bearer x").replace(b"/1.1", b"/1.0"),
    ]
    heads = [as_picture(small), infer(said), extended(json.dumps(one).encode(), jpeg)]

    def with_body(body: bytes) -> Callable[[bytes], bytes]:
        return lambda head: head + b"\r\n\r\n" + body

    return [
        *((data, bytes) for data in whole),
        *((h, with_body(b)) for h, _, b in (head.partition(b"\r\n\r\n") for head in heads)),
        (small, as_picture),
        (large, to_embedding),
        (jpeg, as_picture),
        (said, infer),
        (json.dumps(binary).encode(), lambda data: extended(data, batch)),
        (json.dumps(both).encode(), lambda data: extended(data, files, "classification")),
        (json.dumps(one).encode(), lambda data: extended(data, jpeg, "embedding")),
        (files, with_files),
        (tone(40), lambda data: infer(data, "sounds", "Content-Type: audio/wav")),
        (
            npy(np.ones((3, 2))),
            lambda data: infer(data, "tables", "Content-Type: application/x-npy"),
        ),
    ]


def server(_: Path) -> Target:
    """The server: heads, documents, tensors and files of clients."""
    box, forms = _Box(), _forms()
    return Target(
        "server",
        [data for data, _ in forms],
        lambda index, data: box.attempt(forms[index][1](data)),
        box.close,
    )
