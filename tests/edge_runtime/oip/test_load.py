"""Under load and in trouble: bounded, in time, and always with an answer."""

import contextlib
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge_runtime.contract import InputSpec, Outputs
from edge_runtime.engines import InputTensor, Session, UInt8
from edge_runtime.errors import InputError
from edge_runtime.hosting import Host, Loaded
from edge_runtime.serving import Limits, Panel, Server, ServingSettings, batching, listen_on

from ..certificates import self_signed
from ..models import build, png, scene
from .loading import ask, connect, get, hear, loaded, post

pytestmark = pytest.mark.component

INFER = post("/v2/models/squares/infer", png(scene((8, 8))), "Content-Type: image/png")


@dataclass
class _Gate:
    """A session that waits within each request until it is let go, and notes its batches."""

    session: Session
    entered: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    go: threading.Event = field(default_factory=threading.Event)
    batches: list[int] = field(default_factory=list)

    @property
    def input(self) -> InputTensor:
        return self.session.input

    def run(self, batch: UInt8) -> Outputs:
        self.batches.append(len(batch))
        self.entered.release()
        assert self.go.wait(30)
        return self.session.run(batch)


@dataclass
class _Broken:
    """A session whose outputs are `outputs`, or which fails by a defect without any."""

    outputs: Outputs | None = None

    @property
    def input(self) -> InputTensor:
        return InputTensor("uint8", (1, 48, 64, 3))

    def run(self, batch: UInt8) -> Outputs:
        if self.outputs is None:
            raise ZeroDivisionError("a defect of the engine's binding")
        return self.outputs


@contextmanager
def _serving(
    session: Session | None, limits: Limits | None = None, workers: int = 1
) -> Iterator[Server]:
    host = Host()
    host.put("squares", _squares(session))
    settings = ServingSettings(listen_on("127.0.0.1:0"), workers=workers, limits=limits or Limits())
    server = Server(host, settings)
    server.start()
    try:
        yield server
    finally:
        server.stop(5)


def _squares(session: Session | None = None) -> Loaded:
    return loaded(build(1), session)


def _gate() -> _Gate:
    return _Gate(_FixedBatch(_squares().session))


@dataclass
class _FixedBatch:
    """Hides that the graph takes any number: nothing is tried at warm-up."""

    session: Session

    @property
    def input(self) -> InputTensor:
        return InputTensor("uint8", (1, 48, 64, 3))

    def run(self, batch: UInt8) -> Outputs:
        return self.session.run(batch)


def test_what_waits_is_bounded() -> None:
    gate = _gate()
    with _serving(gate, Limits(waiting=2)) as server, connect(server.port) as first:
        first.sendall(INFER)
        assert gate.entered.acquire(timeout=30)
        with connect(server.port) as second, connect(server.port) as third:
            for client in (second, third):
                client.sendall(INFER)
            while b"queue_requests 2" not in ask(server.port, get("/metrics")).body:
                pass
            said = ask(server.port, INFER)
            assert said.status == 429
            assert said.headers["retry-after"] == "1"
            assert ask(server.port, get("/v2/health/live")).status == 200
            gate.go.set()
            assert [hear(client).status for client in (first, second, third)] == [200] * 3


def test_who_asked_for_an_answer_in_time_is_told_when_there_is_none() -> None:
    gate = _gate()
    with _serving(gate) as server:
        late = INFER.replace(b"Host:", b"X-Timeout-Ms: 50\r\nHost:")
        with connect(server.port) as client:
            client.sendall(late)
            assert gate.entered.acquire(timeout=30)
            assert hear(client).status == 504
            client.sendall(late)  # the connection is still good; this one is never begun
            assert hear(client).status == 504
        gate.go.set()
        assert ask(server.port, INFER).status == 200
        assert gate.batches == [1, 1]


def test_what_follows_a_request_that_was_late_is_served() -> None:
    """Nobody has an event to tell of it: it had come with the first one."""
    gate = _gate()
    with _serving(gate, workers=2) as server, connect(server.port) as client:
        client.sendall(INFER.replace(b"Host:", b"X-Timeout-Ms: 50\r\nHost:") + INFER)
        assert gate.entered.acquire(timeout=30)
        assert hear(client).status == 504
        assert gate.entered.acquire(timeout=30)
        gate.go.set()
        assert hear(client).status == 200


def test_after_an_answer_that_was_late_the_connection_is_served_at_once() -> None:
    gate = _gate()
    with _serving(gate) as server, connect(server.port) as client:
        client.sendall(INFER.replace(b"Host:", b"X-Timeout-Ms: 50\r\nHost:"))
        assert gate.entered.acquire(timeout=30)
        assert hear(client).status == 504
        client.sendall(get("/v2/health/live"))
        assert hear(client).status == 200  # the model still runs
        gate.go.set()


def test_nobody_is_forgotten_where_there_is_always_something_to_do() -> None:
    """Also not the one with whom a thread stays: it goes on with what others have asked."""
    slow = _Slow(_FixedBatch(_squares().session))
    with (
        _serving(slow, Limits(idle_s=2)) as server,
        ThreadPoolExecutor(6) as threads,
        contextlib.ExitStack() as stack,
    ):
        clients = [stack.enter_context(connect(server.port)) for _ in range(6)]
        time.sleep(0.2)  # all are let in before the first one asks
        end = time.monotonic() + 4

        def ask_on(client: socket.socket) -> int:
            answers = 0
            while time.monotonic() < end:
                client.sendall(INFER)
                assert hear(client).status == 200
                answers += 1
            return answers

        counts = list(threads.map(ask_on, clients))
    assert min(counts) > max(counts) / 3


@dataclass
class _Slow:
    """A session that takes a while."""

    session: Session

    @property
    def input(self) -> InputTensor:
        return self.session.input

    def run(self, batch: UInt8) -> Outputs:
        time.sleep(0.03)
        return self.session.run(batch)


def test_what_cannot_be_shown_is_the_servers_fault_and_costs_nobody_a_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A panel that fails, say: both copies of the journal are damaged."""

    def panels() -> tuple[Panel, ...]:
        raise OSError("the journal is damaged")

    host = Host()
    host.put("squares", _squares())
    server = Server(host, ServingSettings(listen_on("127.0.0.1:0")), panels)
    server.start()
    try:
        with connect(server.port) as client:
            client.sendall(INFER)
            assert hear(client).status == 200
            client.sendall(get("/status.json"))
            said = hear(client)
            assert (said.status, said.json["error"][:17]) == (500, "the server failed")
            client.sendall(get("/v2/health/live"))
            assert hear(client).status == 200
        assert "the journal is damaged" in caplog.text
    finally:
        server.stop(5)


def test_a_defect_in_a_connection_costs_that_one_only(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with _serving(None) as server:

        def broken(*_: object) -> None:
            raise ZeroDivisionError("a defect of ours")

        with monkeypatch.context() as patch, connect(server.port) as client:
            patch.setattr(server._app, "ask", broken)
            client.sendall(INFER)
            assert client.recv(1) == b""
            patch.setattr(server._connections, "sweep", broken)
            server._sooner.set()
            while "ZeroDivisionError" not in caplog.text.split("the server failed")[-1]:
                time.sleep(0.01)
        assert ask(server.port, INFER).status == 200
        assert not server._app.in_flight
        while len(server._connections):
            time.sleep(0.01)
    assert "a connection failed" in caplog.text


def test_a_client_that_still_takes_its_answer_is_waited_for_no_longer_than_that() -> None:
    with _serving(None) as server, connect(server.port) as client:
        client.sendall(get("/") * 1500)  # more than lies between two sockets
        time.sleep(0.3)
        stopping = threading.Thread(target=server.stop, args=(30,))
        stopping.start()
        time.sleep(0.1)
        data = bytearray()
        while block := client.recv(65536):
            data += block
        stopping.join(10)
        assert not stopping.is_alive()
    assert data.endswith(b"</html>\n")


def test_who_hangs_up_while_it_waits_is_not_served(tmp_path: Path) -> None:
    gate, path = _gate(), tmp_path / "socket"
    host = Host()
    host.put("squares", _squares(gate))
    server = Server(host, ServingSettings(listen_on("127.0.0.1:0"), path, workers=1))
    server.start()
    with connect(server.port) as first:
        first.sendall(INFER)
        assert gate.entered.acquire(timeout=30)
        with socket.socket(socket.AF_UNIX) as second:
            second.connect(str(path))
            second.sendall(INFER)
            while b"queue_requests 1\n" not in ask(server.port, get("/metrics")).body:
                pass
        while server._app.in_flight > 1:  # until it is seen that the second one has gone
            pass
        gate.go.set()
        assert hear(first).status == 200
    server.stop(5)
    assert gate.batches == [1]


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "x", "9" * 30])
def test_a_deadline_is_a_number(server: Server, text: str) -> None:
    request = INFER.replace(b"Host:", b"X-Timeout-Ms: " + text.encode() + b"\r\nHost:")
    assert ask(server.port, request).status == 400


def test_stopping_answers_what_has_come_and_takes_no_more() -> None:
    gate = _gate()
    with _serving(gate) as server, connect(server.port) as busy, connect(server.port) as other:
        other.sendall(get("/v2/health/ready"))
        assert hear(other).status == 200
        busy.sendall(INFER)
        assert gate.entered.acquire(timeout=30)
        stopping = threading.Thread(target=server.stop, args=(30,))
        stopping.start()
        assert other.recv(10) == b""  # the idle one is closed
        with pytest.raises(ConnectionRefusedError):
            connect(server.port)
        gate.go.set()
        said = hear(busy)
        stopping.join(30)
    assert (said.status, said.headers["connection"]) == (200, "close")


_OUTPUTS: Outputs = {
    "boxes": np.zeros((1, 8, 4), np.float32),
    "scores": np.ones((1, 8), np.float32),
    "labels": np.zeros((1, 8), np.int64),
}


@pytest.mark.parametrize(
    "outputs",
    [
        {**_OUTPUTS, "scores": np.full((1, 8), np.nan, np.float32)},
        {**_OUTPUTS, "boxes": np.zeros((1, 7, 4), np.float32)},
        {**_OUTPUTS, "labels": np.zeros((2, 8), np.int64)},
        {"probabilities": np.ones((1, 3), np.float32)},
        {},
    ],
)
def test_outputs_that_are_none_are_the_servers_fault(outputs: Outputs) -> None:
    with _serving(_Broken(outputs)) as server:
        said = ask(server.port, INFER)
    assert said.status == 500
    assert said.json["error"]


def test_after_a_defect_the_next_request_is_served(caplog: pytest.LogCaptureFixture) -> None:
    with _serving(_Broken()) as server:
        for _ in range(3):
            said = ask(server.port, INFER)
            assert said.status == 500
            assert "ZeroDivision" not in said.body.decode()
    assert caplog.text.count("ZeroDivisionError: a defect of the engine's binding") == 3


def test_what_is_loaded_later_is_looked_at_too(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: queue.SimpleQueue[Session] = queue.SimpleQueue()

    def look(session: Session) -> tuple[int, ...]:
        seen.put(session)
        return ()

    monkeypatch.setattr("edge_runtime.serving.pool.sizes_that_pay", look)
    host, first, second = Host(), _squares(), _squares()
    host.put("squares", first)
    server = Server(host, ServingSettings(listen_on("127.0.0.1:0"), workers=1))
    server.start()
    try:
        assert seen.get_nowait() is first.session  # before it listens
        host.put("squares", second)
        assert seen.get(timeout=30) is second.session
    finally:
        server.stop(5)


def test_requests_that_wait_together_run_together(monkeypatch: pytest.MonkeyPatch) -> None:
    session = _squares().session
    gate = _Gate(session)
    monkeypatch.setattr("edge_runtime.serving.pool.sizes_that_pay", lambda _: (2, 4))
    pictures = [png(scene((8 * i, 5 * i))) for i in range(6)]
    requests = [
        post("/v2/models/squares/infer", data, "Content-Type: image/png") for data in pictures
    ]
    bad = post("/v2/models/squares/infer", b"none", "Content-Type: image/png")
    with _serving(gate) as server, ThreadPoolExecutor(8) as clients:
        first = clients.submit(ask, server.port, INFER)
        assert gate.entered.acquire(timeout=30)
        waiting = []
        for number, request in enumerate([*requests[:4], bad, *requests[4:]], start=1):
            waiting.append(clients.submit(ask, server.port, request))
            while (
                f"queue_requests {number}\n" not in ask(server.port, get("/metrics")).body.decode()
            ):
                pass
        gate.go.set()
        said = [future.result(30) for future in waiting]
        assert first.result(30).status == 200
    assert gate.batches == [1, 4, 1, 1]  # the bad one was of a batch of two
    assert said.pop(4).status == 400
    for i, answer in enumerate(said):
        boxes = [decision["box"] for decision in answer.json["decisions"]]
        assert boxes == [[8 * i, 5 * i, 8 * i + 8, 5 * i + 8]]


def test_a_model_that_is_replaced_is_asked_with_its_own_input() -> None:
    """Each request is prepared and decided by one release, however often it changes."""
    small = build(2)
    spec = InputSpec(32, 24)
    release = msgspec.structs.replace(small.release, input=spec)
    first, second = _squares(), loaded(replace(small, release=release), _Scaled())
    host = Host()
    host.put("squares", first)
    server = Server(host, ServingSettings(listen_on("127.0.0.1:0"), workers=2))
    server.start()
    found: set[tuple[str, int]] = set()
    with ThreadPoolExecutor(2) as clients:
        for turn in range(40):
            asked = [clients.submit(ask, server.port, INFER) for _ in range(4)]
            host.put("squares", second if turn % 2 else first)
            for future in asked:
                said = future.result(30)
                assert said.status == 200
                found.add((said.json["model_version"], len(said.json["decisions"])))
    server.stop(5)
    assert found == {("1.0.0", 1), ("2.0.0", 0)}


class _Scaled:
    """Takes 24 × 32 only, and finds nothing."""

    input = InputTensor("uint8", (1, 24, 32, 3))

    def run(self, batch: UInt8) -> Outputs:
        assert batch.shape == (1, 24, 32, 3)
        return {**_OUTPUTS, "scores": np.zeros((1, 8), np.float32)}


def test_beyond_loopback_a_token_and_tls_are_demanded(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("a-token-of-some-length")
    with pytest.raises(InputError, match="give a token file, a TLS certificate"):
        listen_on("0.0.0.0:8000")
    with pytest.raises(InputError, match="give a token file, a TLS certificate"):
        listen_on("0.0.0.0:8000", token)
    with pytest.raises(InputError, match="belong together"):
        listen_on("127.0.0.1:8000", token, token)


@pytest.fixture
def over_tls(tmp_path: Path) -> Iterator[tuple[Server, ssl.SSLContext]]:
    """A server with a token that speaks TLS, and what its clients trust."""
    token = tmp_path / "token"
    token.write_text("a-token-of-some-length")
    cert, key = self_signed(tmp_path)
    host = Host()
    host.put("squares", _squares())
    server = Server(host, ServingSettings(listen_on("127.0.0.1:0", token, cert, key)))
    server.start()
    yield server, ssl.create_default_context(cafile=cert)
    server.stop(5)


def _greeted(server: Server, context: ssl.SSLContext) -> ssl.SSLSocket:
    return context.wrap_socket(connect(server.port), server_hostname="localhost")


def _allowed(request: bytes) -> bytes:
    return request.replace(b"Host:", b"Authorization: Bearer a-token-of-some-length\r\nHost:")


@pytest.mark.parametrize("given", ["", "Bearer a-token-of-some-lengtH"])
def test_over_tls_a_wrong_token_is_refused(
    over_tls: tuple[Server, ssl.SSLContext], given: str
) -> None:
    with _greeted(*over_tls) as client:
        client.sendall(get("/v2/health/live", f"Authorization: {given}"))
        assert hear(client).status == 401
        assert client.recv(1) == b""


def test_over_tls_requests_are_answered_in_order_however_long(
    over_tls: tuple[Server, ssl.SSLContext],
) -> None:
    """A large body is many records; small requests in one record are read ahead of the epoll."""
    large = png(np.random.default_rng(0).integers(0, 256, (600, 800, 3), np.uint8))
    request = post("/v2/models/squares/infer", large, "Content-Type: image/png")
    with _greeted(*over_tls) as client:
        for _ in range(2):
            client.sendall(_allowed(request))
            assert hear(client).status == 200
        client.sendall(_allowed(INFER) + _allowed(get("/v2/health/live")) + _allowed(INFER))
        assert [hear(client).status for _ in range(3)] == [200] * 3
        client.sendall(_allowed(get("/")) * 30 + _allowed(get("/", "Connection: close")))
        data = b""
        while block := client.recv(65536):
            data += block
    assert data.count(b"</html>") == 31


def test_over_tls_who_reads_slowly_gets_every_answer(
    over_tls: tuple[Server, ssl.SSLContext],
) -> None:
    count = 1500  # 17 MB, more than lies between two sockets
    with _greeted(*over_tls) as client:
        client.sendall(_allowed(get("/")) * (count - 1) + _allowed(get("/", "Connection: close")))
        time.sleep(0.5)  # it can write no more
        data = bytearray()
        while block := client.recv(65536):
            data += block
    assert data.count(b"HTTP/1.1 200 OK") == data.count(b"</html>") == count


def test_who_does_not_speak_tls_is_hung_up_on(
    over_tls: tuple[Server, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_runtime.serving.connection.HANDSHAKE_S", 0.2)
    server, context = over_tls
    for said in (INFER, b"", b"\x16\x03\x01"):
        with connect(server.port) as client:
            client.sendall(said)
            with contextlib.suppress(ConnectionResetError):
                while heard := client.recv(65536):
                    assert b"HTTP" not in heard
    with _greeted(server, context) as client:
        client.sendall(_allowed(INFER))
        assert hear(client).status == 200


def test_the_small_detector_is_tried_for_batches() -> None:
    assert set(batching.sizes_that_pay(_squares().session)) <= {2, 4, 8}
