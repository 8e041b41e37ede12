"""Clients that are slow, hasty, half gone, many, or hostile: each wait ends, the next is served."""

import contextlib
import dataclasses
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.errors import InputError
from edge_runtime.hosting import Host
from edge_runtime.serving import Limits, Server, ServingSettings, listen_on

from ..models import png, scene
from .loading import ask, connect, get, hear, post

pytestmark = pytest.mark.component

LIVE = get("/v2/health/live")
INFER = post("/v2/models/squares/infer", png(scene((8, 8))), "Content-Type: image/png")


@pytest.fixture(scope="module")
def hasty(host: Host) -> Iterator[Server]:
    """A server with little patience and little room."""
    limits = Limits(
        head_bytes=1024,
        body_bytes=70_000,
        held_bytes=100_000,
        connections=8,
        head_s=0.2,
        body_s=0.2,
        idle_s=0.2,
        write_s=0.2,
    )
    running = Server(host, ServingSettings(listen_on("127.0.0.1:0"), limits=limits))
    running.start()
    yield running
    running.stop(1)


def _rest(client: socket.socket) -> bytes:
    """All until the server hangs up."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while block := client.recv(65536):
            data += block
    return data


def test_many_requests_share_a_connection(server: Server) -> None:
    with connect(server.port) as client:
        for request in (LIVE, INFER, get("/nothing"), INFER, LIVE):
            client.sendall(request)
            assert hear(client).status in (200, 404)


def test_requests_sent_at_once_are_answered_in_order(server: Server) -> None:
    with connect(server.port) as client:
        client.sendall((INFER + LIVE + get("/v2")) * 20 + get("/", "Connection: close"))
        data = _rest(client)
    assert data.count(b"HTTP/1.1 200 OK") == 61
    places = [data.index(b'"decisions"'), data.index(b'"live"'), data.index(b'"extensions"')]
    assert places == sorted(places)


def test_a_request_may_come_byte_by_byte(server: Server) -> None:
    with connect(server.port) as client:
        for byte in INFER:
            client.sendall(bytes([byte]))
        assert hear(client).status == 200


def test_who_waits_for_permission_gets_it(server: Server) -> None:
    head, _, body = INFER.partition(b"\r\n\r\n")
    with connect(server.port) as client:
        client.sendall(head + b"\r\nExpect: 100-continue\r\n\r\n")
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert hear(client).status == 200


def test_a_half_closed_client_gets_its_answer(server: Server) -> None:
    with connect(server.port) as client:
        client.sendall(INFER)
        client.shutdown(socket.SHUT_WR)
        assert hear(client).status == 200
        assert _rest(client) == b""


def test_a_client_that_leaves_early_harms_nobody(server: Server) -> None:
    for length in (10, len(INFER) // 2, len(INFER)):
        with connect(server.port) as client:
            client.sendall(INFER[:length])
    assert ask(server.port, INFER).status == 200


@pytest.mark.parametrize("sent", [b"GET / HT", INFER[:-5]])
def test_who_is_too_slow_is_told_so(hasty: Server, sent: bytes) -> None:
    with connect(hasty.port) as client:
        client.sendall(sent)
        assert hear(client).status == 408
        assert _rest(client) == b""


def test_who_says_nothing_is_hung_up_on(hasty: Server) -> None:
    with connect(hasty.port) as client:
        assert _rest(client) == b""


def test_a_head_without_end_is_refused(hasty: Server) -> None:
    with connect(hasty.port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 5000)
        assert hear(client).status == 431


def test_a_body_that_is_too_long_is_refused_before_it_is_sent(hasty: Server) -> None:
    with connect(hasty.port) as client:
        client.sendall(post("/v2", b"", "X: y").replace(b"Length: 0", b"Length: 70001"))
        said = hear(client)
    assert said.status == 413
    assert "at most 70000 bytes" in said.json["error"]


def test_all_bodies_together_are_bounded(hasty: Server) -> None:
    long = b"POST /v2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 70000\r\n\r\nx"
    with connect(hasty.port) as first, connect(hasty.port) as second:
        first.sendall(long)
        second.sendall(long)
        # Whichever was let in does not send the rest in time.
        assert {hear(first).status, hear(second).status} == {408, 503}
    assert ask(hasty.port, INFER).status == 200


def test_idle_clients_make_room(hasty: Server) -> None:
    with contextlib.ExitStack() as held:
        for _ in range(100):
            held.enter_context(connect(hasty.port))
        assert ask(hasty.port, INFER).status == 200


def test_who_reads_slowly_gets_every_answer(server: Server, unix_path: Path) -> None:
    """Far more than what lies between two sockets, asked for before the first byte is read."""
    count = 200
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect(str(unix_path))
        client.sendall(get("/") * (count - 1) + get("/", "Connection: close"))
        time.sleep(0.2)  # it has read all, and can write no more
        data = _rest(client)
    assert data.count(b"HTTP/1.1 200 OK") == data.count(b"</html>") == count


def test_who_does_not_read_is_hung_up_on(hasty: Server) -> None:
    with connect(hasty.port) as client:
        client.sendall(get("/") * 2000)  # 23 MB of answers
        time.sleep(1)  # far longer than it has for an answer
        data = _rest(client)
    assert data.count(b"</html>") < 2000
    assert ask(hasty.port, LIVE).status == 200


def test_one_after_the_other_is_served_by_one_thread(host: Host) -> None:
    """It stays with its client: what it needs is still in the caches."""
    who: Counter[int] = Counter()
    watched = Host((lambda *_: who.update([threading.get_ident()]),))
    watched.put("squares", host.get("squares"))
    running = Server(watched, ServingSettings(listen_on("127.0.0.1:0"), workers=4))
    running.start()
    with connect(running.port) as client:
        for _ in range(100):
            client.sendall(INFER)
            assert hear(client).status == 200
    running.stop(1)
    assert max(who.values()) > 80


def test_who_stays_with_a_client_keeps_nobody_else_waiting(host: Host) -> None:
    """The only thread that could is with another client, which says nothing more."""
    running = Server(host, ServingSettings(listen_on("127.0.0.1:0"), workers=1))
    running._settings = dataclasses.replace(running._settings, workers=0)  # one thread in all
    running.start()
    with connect(running.port) as first, connect(running.port) as second:
        for client in (first, second) * 20:
            client.sendall(LIVE)
            assert hear(client).status == 200
        first.sendall(INFER)
        second.sendall(LIVE)
        assert [hear(client).status for client in (first, second)] == [200] * 2
    running.stop(1)


def test_a_page_from_elsewhere_is_not_answered(server: Server) -> None:
    for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", ""):
        said = ask(server.port, LIVE.replace(b"localhost", host.encode()))
        assert said.status == 421
    for host in ("127.0.0.1:8000", "LOCALHOST", "[::1]:1", "192.0.2.1"):
        assert ask(server.port, LIVE.replace(b"localhost", host.encode())).status == 200


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=200), st.sampled_from([b"", b"GET ", LIVE, INFER[:80], INFER]))
def test_any_bytes_end_in_answers(server: Server, noise: bytes, before: bytes) -> None:
    with connect(server.port) as client:
        client.sendall(before + noise)
        client.shutdown(socket.SHUT_WR)
        data = _rest(client)
    if data:
        assert data.startswith(b"HTTP/1.1 ")
        assert b"Traceback" not in data
    assert ask(server.port, LIVE).status == 200


def test_a_port_or_socket_that_is_taken_is_said(
    server: Server, unix_path: Path, host: Host
) -> None:
    taken = ServingSettings(listen_on(f"127.0.0.1:{server.port}"))
    with pytest.raises(InputError, match=f"cannot listen on 127.0.0.1:{server.port}"):
        Server(host, taken).start()
    with pytest.raises(InputError, match="another server listens there"):
        Server(host, ServingSettings(socket=unix_path)).start()
    assert ask(server.port, LIVE).status == 200


def test_the_socket_of_a_dead_server_is_replaced(tmp_path: Path, host: Host) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))
    running = Server(host, ServingSettings(socket=path))
    running.start()
    running.stop(1)
    assert not path.exists()


def test_nothing_is_left_behind(server: Server) -> None:
    """Descriptors after many clients are those from before."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(50):
        ask(server.port, INFER)
        with connect(server.port) as client:
            client.sendall(INFER[:20])
    end = time.monotonic() + 20
    while len(list(Path("/proc/self/fd").iterdir())) > before and time.monotonic() < end:
        time.sleep(0.02)  # the server has yet to see that the last client has gone
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


def test_a_head_is_answered_like_a_get_without_the_body(server: Server) -> None:
    """A body after the answer to HEAD would be taken for the next answer."""
    probe = get("/v2/health/live").replace(b"GET", b"HEAD")
    with connect(server.port) as client:
        client.sendall(probe + INFER.replace(b"POST", b"HEAD") + get("/", "Connection: close"))
        head, refused, page = _rest(client).split(b"HTTP/1.1 ")[1:]
    assert b"Content-Length: 13" in head
    assert head.startswith(b"200 ")
    assert refused.startswith(b"405 ")
    assert head.endswith(b"\r\n\r\n")
    assert refused.endswith(b"\r\n\r\n")
    assert page.endswith(b"</html>\n")
