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
from edge_runtime.watching.forwarding import Turn, forward
from edge_runtime.watching.spool import Spool
from edge_runtime.watching.telling import Collector, Outbox, Receiver, Teller

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
WELL = Watch("none", None)
BOX = MachineHealth(0.1, 900.0, 80.0, None, None, 5000.0)


class Server(ThreadingHTTPServer):
    """A collector that answers with `status` and keeps what it was sent, in `bodies`, and what it
    took, in `taken`. It refuses whole batches with a telemetry number of `bad`, by `refusal`."""

    def __init__(self) -> None:
        self.status, self.kind = 204, "application/json"
        self.bad: set[int] = set()
        self.refusal = 422
        self.bodies: list[bytes] = []
        self.taken: list[int] = []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    """One POST."""

    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(body)
        told = msgspec.json.decode(body, type=list[SignedTelemetry])
        numbers = [peek_telemetry(signed).sequence for signed in told]
        status = self.server.refusal if self.server.bad & set(numbers) else self.server.status
        if status == 204:
            self.server.taken += numbers
        self.send_response(status)
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
    ("status", "kind"),
    [(500, "text/plain"), (404, "text/plain"), (405, ""), (302, ""), (200, "text/html")],
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


def _told(spool: Spool, server: Server) -> Turn:
    """The turn when nothing more is to be done at once."""
    turn, collector = Turn(), Collector(_url(server))
    for _ in range(200):
        turn = forward(spool, collector, turn, 0.0)
        if turn.at > 0:
            return turn
    raise AssertionError("it goes on for ever")


def _many(folder: Path, count: int) -> Spool:
    spool = Spool(folder / "spool.sqlite")
    teller = Teller("branch-1", KEY)
    for now in range(count):
        teller.tell(spool, WELL, BOX, now)
    spool.flush()
    return spool


@pytest.mark.parametrize("refusal", [400, 413, 422])
@pytest.mark.parametrize("bad", [{1}, {40}, {7, 8, 30}])
def test_what_alone_is_refused_is_set_aside_and_all_else_is_told(
    tmp_path: Path, server: Server, bad: set[int], refusal: int, caplog: pytest.LogCaptureFixture
) -> None:
    server.bad, server.refusal = bad, refusal
    spool = _many(tmp_path, 40)
    if 40 in bad:  # the last one that is there speaks for the collector: one must come after it
        assert _told(spool, server).failures == 1
        Teller("branch-1", KEY).tell(spool, WELL, BOX, 41)
        spool.flush()
    assert _told(spool, server).failures == 0
    assert spool.batch(10**6) == ()
    last = 41 if 40 in bad else 40
    assert sorted(server.taken) == sorted(set(range(1, last + 1)) - bad)  # each once
    assert spool.dropped.report == len(bad)
    assert spool.note.endswith(f"the collector answers {refusal}; expected 2xx")
    assert len(caplog.records) == len(bad)
    kept = sorted((tmp_path / "spool.refused").iterdir())
    assert [peek_telemetry(read(path, SignedTelemetry)).sequence for path in kept] == sorted(bad)
    assert len(server.bodies) < 60
    spool.close()
    assert Spool(tmp_path / "spool.sqlite").dropped.report == len(bad)


def test_a_collector_that_refuses_everything_costs_nothing_but_time(
    tmp_path: Path, server: Server
) -> None:
    spool = _many(tmp_path, 40)
    server.bad = set(range(100))
    turn = _told(spool, server)
    assert "whatever it is sent; nothing is set aside" in turn.why
    asked = len(server.bodies)
    again = forward(spool, Collector(_url(server)), turn, turn.at)
    assert (again.failures, len(server.bodies)) == (2, asked + 2)
    assert len(spool.batch(10**6)) == 40
    assert not (tmp_path / "spool.refused").exists()
    server.bad = set()
    assert _told(spool, server).failures == 0
    assert sorted(server.taken) == list(range(1, 41))
    spool.close()


def test_a_refused_message_waits_until_another_is_taken(tmp_path: Path, server: Server) -> None:
    spool = _many(tmp_path, 1)
    server.bad = {1}
    turn = _told(spool, server)
    assert "to the only message; it is set aside once another is taken" in turn.why
    server.status = 503
    Teller("branch-1", KEY).tell(spool, WELL, BOX, 2)
    spool.flush()
    turn = forward(spool, Collector(_url(server)), turn, turn.at)  # two: refused
    turn = forward(spool, Collector(_url(server)), turn, turn.at)  # one: refused; the other: 503
    assert "answers 503" in turn.why
    assert len(spool.batch(10**6)) == 2
    spool.close()


def test_what_was_set_aside_is_bounded(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_runtime.watching.spool.MOST_ASIDE", 2)
    spool = _many(tmp_path, 6)
    server.bad = {1, 2, 3}
    _told(spool, server)
    assert len(list((tmp_path / "spool.refused").iterdir())) == 2
    assert spool.dropped.report == 3
    spool.close()
