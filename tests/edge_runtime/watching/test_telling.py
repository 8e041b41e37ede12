"""What is watched is signed, spooled and handed over; it is forgotten only once it is safe."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_runtime.contract import MachineHealth, SignedTelemetry, Watch, read
from edge_runtime.contract.sealing import peek_telemetry, public_hex, verify
from edge_runtime.errors import TrustError
from edge_runtime.watching.spool import Spool
from edge_runtime.watching.telling import Collector, Outbox, Receiver, Teller, Turn, forward

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
WELL = Watch("none", None)
BOX = MachineHealth(0.1, 900.0, 80.0, None, None, 5000.0)


class Server(ThreadingHTTPServer):
    """A collector that answers with `status` and keeps what it was sent."""

    def __init__(self) -> None:
        self.status, self.kind = 204, "application/json"
        self.bodies: list[bytes] = []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    """One POST."""

    server: Server

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(self.server.status)
        self.send_header("Content-Type", self.server.kind)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    thread = threading.Thread(target=running.serve_forever, args=(0.01,))
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """Three reports and an alarm, flushed."""
    found = Spool(tmp_path / "state" / "spool.db")
    teller = Teller("branch-1", KEY)
    for now in range(3):
        teller.tell(found, WELL, BOX, now)
    teller.tell(found, Watch("fix camera", None), BOX, 3)
    found.flush()
    yield found
    found.close()


def _url(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/telemetry"


def test_a_collector_gets_signed_telemetry_alarms_first(server: Server, spool: Spool) -> None:
    turn = forward(spool, Collector(_url(server)), Turn(), 100.0)
    assert turn == Turn(at=100.0)
    told = msgspec.json.decode(server.bodies[0], type=list[SignedTelemetry])
    for signed in told:
        verify(signed, public_hex(KEY))
    seen = [peek_telemetry(signed) for signed in told]
    assert [(t.sequence, t.watch.route) for t in seen] == [
        (4, "fix camera"), (1, "none"), (2, "none"), (3, "none"),
    ]  # fmt: skip
    assert {t.epoch for t in seen} == {spool.epoch}
    assert spool.batch(10**6) == ()
    forged = msgspec.structs.replace(told[0], payload=told[0].payload.replace(b"fix", b"mix"))
    with pytest.raises(TrustError):
        verify(forged, public_hex(KEY))


@pytest.mark.parametrize(
    ("status", "kind"), [(500, "text/plain"), (404, "text/plain"), (302, ""), (200, "text/html")]
)
def test_what_no_collector_has_kept_stays(
    server: Server, spool: Spool, status: int, kind: str
) -> None:
    """A captive portal answers 200, too, with a page of its own."""
    server.status, server.kind = status, kind
    collector, turn, now = Collector(_url(server)), Turn(), 0.0
    for failures in range(1, 10):
        turn = forward(spool, collector, turn, now)
        longest = min(3600, 30 * 2 ** (failures - 1))
        assert turn.failures == failures
        assert longest / 2 <= turn.at - now <= longest
        assert forward(spool, collector, turn, turn.at - 1) is turn  # not before its turn
        now = turn.at
    assert len(server.bodies) == 9
    assert len(spool.batch(10**6)) == 4
    server.status, server.kind = 204, ""
    assert forward(spool, collector, turn, now) == Turn(at=now)
    assert spool.batch(10**6) == ()


def test_nobody_there_is_said_in_a_line(spool: Spool) -> None:
    turn = forward(spool, Collector("http://127.0.0.1:9/"), Turn(), 0.0)
    assert "nothing answers at this address" in turn.why
    assert len(spool.batch(10**6)) == 4


def test_an_outbox_has_a_file_an_entry_and_the_same_one_twice(tmp_path: Path, spool: Spool) -> None:
    outbox: Receiver = Outbox(tmp_path / "out", "branch-1")
    outbox.take(spool.epoch, spool.batch(10**6))  # and then the box goes down
    assert forward(spool, outbox, Turn(), 0.0).failures == 0
    files = sorted((tmp_path / "out").iterdir())
    assert len(files) == 4
    assert files[0].name == f"branch-1-{spool.epoch}-000000000001.telemetry.json"
    assert peek_telemetry(read(files[0], SignedTelemetry)).machine == BOX


def test_an_outbox_that_nobody_empties_is_bounded(
    tmp_path: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_runtime.watching.telling.MOST_FILES", 3)
    turn = forward(spool, Outbox(tmp_path / "out", "branch-1"), Turn(), 0.0)
    assert "somebody must fetch them" in turn.why
    assert len(spool.batch(10**6)) == 4
