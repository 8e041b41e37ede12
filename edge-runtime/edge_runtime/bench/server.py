"""The endpoint: a model comes over HTTP, its latency on this box goes back.

    POST /v2/bench?engine=onnxruntime&precision=f32&threads=1&seconds=3    the ONNX file → bench/1
    GET  /v2/bench                                              what this box is (`Host`)
    GET  /v2/health/ready                                       200, without a token

It runs models that nobody signed. So nothing is read before the token is right, one model is
measured at a time, each in a process of its own that ends in time, and only a private temporary
folder is written to, which goes with the server.
"""

import contextlib
import http.server
import json
import logging
import shutil
import socket
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from msgspec import Meta, Struct

from edge_runtime import __version__
from edge_runtime.access import Access
from edge_runtime.bench.levels import KEPT, usual
from edge_runtime.bench.measuring import Plan, Subject, measure_one
from edge_runtime.contract import Engine, Precision, encode
from edge_runtime.errors import EdgeRuntimeError, InputError
from edge_runtime.machine import host

MAX_BODY_BYTES = 256 * 2**20
MAX_CONNECTIONS = 16
SILENCE_S = 10.0  # without a byte, a client has gone
HEADERS_S = 20.0  # from the connection to the end of the headers
GRACE_S, LEAST_RATE = 30.0, 32 * 1024  # a body of n bytes may take GRACE_S + n / LEAST_RATE seconds
DRAIN_BYTES, DRAIN_S = 32 * 2**20, 5.0  # read on after a refusal, so that the client can hear it
RETRY_S = 2  # what a client is told to wait when another model is being measured
BLOCK_BYTES = 64 * 1024

log = logging.getLogger(__name__)


class Asked(Struct, frozen=True, forbid_unknown_fields=True):
    """The query of a request."""

    engine: Engine = "onnxruntime"
    precision: Precision | None = None
    threads: Annotated[int, Meta(ge=1, le=256)] = 1
    seconds: Annotated[float, Meta(gt=0.0, le=60.0)] = 3.0


class BenchServer(http.server.ThreadingHTTPServer):
    """Listens once it is made; `serve_forever` answers, the end of `with` removes its folder."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = MAX_CONNECTIONS

    def __init__(self, access: Access, plan: Plan | None = None) -> None:
        self.address_family = socket.AF_INET6 if ":" in access.host else socket.AF_INET
        self.access = access
        self.plan = plan or Plan()
        self.measuring = threading.Lock()
        self.levels: dict[int, deque[float]] = {}
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self.folder = Path(tempfile.mkdtemp(prefix="edge-bench-"))
        try:
            super().__init__((access.host, access.port), _Handler)
        except OSError as error:
            raise InputError(
                f"cannot listen on {access.host}:{access.port}: {error.strerror}"
            ) from error

    @property
    def url(self) -> str:
        """Where it listens."""
        name = f"[{self.access.host}]" if ":" in self.access.host else self.access.host
        scheme = "http" if self.access.tls is None else "https"
        return f"{scheme}://{name}:{self.server_address[1]}"

    def server_close(self) -> None:
        """Stop listening, and leave nothing behind."""
        super().server_close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def get_request(self) -> tuple[socket.socket, Any]:
        """The next connection; it is greeted by its own thread, so a slow one holds up nobody."""
        connection, address = super().get_request()
        if self.access.tls is not None:
            connection = self.access.tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread; with too many of them at work, hang up."""
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, then make room."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection broke; the next one is not concerned."""
        del request
        log.info("a connection from %s ended early", client_address, exc_info=True)


class _RefusalError(Exception):
    """What a request is answered with when it is not done."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}


class _Handler(http.server.BaseHTTPRequestHandler):
    """One request a connection."""

    server: BenchServer
    server_version = f"edge-runtime/{__version__}"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = SILENCE_S

    def setup(self) -> None:
        super().setup()
        self._unread = 0
        self._late = threading.Timer(HEADERS_S, _hang_up, [self.connection])
        self._late.daemon = True
        self._late.start()

    def finish(self) -> None:
        self._late.cancel()
        super().finish()

    def handle_expect_100(self) -> bool:
        return True  # the body is asked for when it is wanted, in `_receive`

    def do_GET(self) -> None:
        self._respond(self._get)

    def do_POST(self) -> None:
        self._respond(self._post)

    def _respond(self, answer: Callable[[], bytes]) -> None:
        self._late.cancel()
        try:
            self._send(200, answer())
        except _RefusalError as refusal:
            body = json.dumps({"error": str(refusal)}).encode() + b"\n"
            self._send(refusal.status, body, refusal.headers)
            self._drain()

    def _get(self) -> bytes:
        if self.path == "/v2/health/ready":
            return b'{"ready": true}\n'
        self._admit()
        return encode(host())

    def _post(self) -> bytes:
        asked = _query(self._admit())
        length = self._length()
        if not self.server.measuring.acquire(blocking=False):
            retry = {"Retry-After": str(RETRY_S)}
            raise _RefusalError(503, "another model is being measured; try again", retry)
        try:
            return self._measured(asked, length)
        finally:
            self.server.measuring.release()

    def _admit(self) -> str:
        """The query of a request that may be answered."""
        if not self.server.access.admits(self.headers.get("Authorization", "")):
            challenge = {"WWW-Authenticate": "Bearer"}
            raise _RefusalError(401, "the token is missing or wrong", challenge)
        parts = urlsplit(self.path)
        if parts.path != "/v2/bench":
            raise _RefusalError(404, "there is nothing here but /v2/bench and /v2/health/ready")
        return parts.query

    def _length(self) -> int:
        text = self.headers.get("Content-Length")
        if text is None:
            raise _RefusalError(411, "a Content-Length is required; the model is the body")
        if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text)):
            raise _RefusalError(400, f"Content-Length {text[:40]!r} is no number of bytes")
        if int(text) > MAX_BODY_BYTES:
            raise _RefusalError(413, f"the model is larger than {MAX_BODY_BYTES} bytes")
        self._unread = int(text)
        return int(text)

    def _measured(self, asked: Asked, length: int) -> bytes:
        try:
            with tempfile.TemporaryDirectory(dir=self.server.folder) as folder:
                model = Path(folder) / "model.onnx"
                self._receive(model, length)
                return self._measure(model, asked)
        except OSError as error:
            raise _RefusalError(507, f"the box cannot take the model: {error.strerror}") from error

    def _receive(self, path: Path, length: int) -> None:
        """Write the body to `path`."""
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        deadline = time.monotonic() + GRACE_S + length / LEAST_RATE
        with path.open("wb") as file:
            while self._unread:
                if time.monotonic() > deadline:
                    self._unread = 0
                    raise _RefusalError(408, "the body comes too slowly")
                file.write(self._read(length))

    def _read(self, length: int) -> bytes:
        try:
            block = self.rfile.read1(min(BLOCK_BYTES, self._unread))
        except TimeoutError:
            self._unread = 0
            raise _RefusalError(408, "the body does not come") from None
        except OSError:
            block = b""
        if not block:
            got, self._unread = length - self._unread, 0
            raise _RefusalError(400, f"the body ended after {got} of {length} bytes")
        self._unread -= len(block)
        return block

    def _measure(self, model: Path, asked: Asked) -> bytes:
        subject = Subject({model.name: model}, model.name, asked.engine, asked.precision)
        levels = self.server.levels.setdefault(asked.threads, deque(maxlen=KEPT))
        plan = replace(
            self.server.plan,
            threads=asked.threads,
            seconds=asked.seconds,
            level_ms=usual(levels),
            scratch=self.server.folder,
        )
        try:
            result = measure_one(subject, plan, lambda *_: None)
        except InputError as error:
            raise _RefusalError(400, str(error)) from error
        except EdgeRuntimeError as error:
            raise _RefusalError(422, str(error)) from error
        levels.append(result.reference_ms)
        log.info("%s on %s: %.3f ms", result.file_sha256[:12], result.engine, result.latency_ms)
        return encode(result)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        said = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        for name, value in {**said, "Connection": "close", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _drain(self) -> None:
        """Read what is still coming: with bytes unread, closing would take the answer back."""
        end, left = time.monotonic() + DRAIN_S, min(self._unread or DRAIN_BYTES, DRAIN_BYTES)
        self.connection.settimeout(1.0)
        with contextlib.suppress(OSError):
            while left > 0 and time.monotonic() < end and (block := self.rfile.read1(BLOCK_BYTES)):
                left -= len(block)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What http.server itself refuses is told in our form, too."""
        self.close_connection = True
        self._send(code, json.dumps({"error": message or explain or "refused"}).encode() + b"\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Requests are the program's log, not stderr's."""
        log.info("%r", format % args)  # what a client sends is not written as it comes


def _query(text: str) -> Asked:
    try:
        found = parse_qs(text, keep_blank_values=True, strict_parsing=bool(text), max_num_fields=8)
        return msgspec.convert({k: v[-1] for k, v in found.items()}, Asked, strict=False)
    except (ValueError, msgspec.ValidationError) as error:
        raise _RefusalError(400, f"the query is not understood: {error}") from error


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)  # without what TLS would add
