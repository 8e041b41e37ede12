"""Ten thousand connections that say nothing: bounded, and those who ask are answered."""

import contextlib
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.hosting import Host
from edge_runtime.serving import Limits, Server, ServingSettings, listen_on

from ..models import png, scene
from .loading import ask, connect, get, hear, post

pytestmark = pytest.mark.component

CROWD, LEAST = 10_000, 2_000
SPARE = 1_000  # descriptors for the server's side and whatever the process holds
INFER = post("/v2/models/squares/infer", png(scene((8, 8))), "Content-Type: image/png")


@pytest.fixture
def crowd() -> Iterator[int]:
    """How many connections this process may hold: ten thousand, or what its limit leaves."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    most = CROWD if hard == resource.RLIM_INFINITY else min(CROWD, hard - SPARE)
    if most < LEAST:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        pytest.skip(f"this process may open {hard} files; {LEAST + SPARE} are needed for a crowd")
    yield most
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def _rss_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def _held(client: socket.socket) -> bool:
    """Whether the server has kept the connection."""
    client.setblocking(False)
    try:
        return client.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False


def test_ten_thousand_idle_connections(host: Host, crowd: int) -> None:
    running = Server(host, ServingSettings(listen_on("127.0.0.1:0")))
    running.start()
    most = Limits().connections
    try:
        ask(running.port, INFER)
        before, memory = _descriptors(), _rss_bytes()
        with contextlib.ExitStack() as held, connect(running.port) as regular:
            clients = []
            for number in range(crowd):
                clients.append(held.enter_context(connect(running.port)))
                if number % (most // 4) == 0:
                    regular.sendall(INFER)  # it is never the longest idle one
                    assert hear(regular).status == 200
                if number % 2000 == 0:
                    assert ask(running.port, get("/v2/health/live")).status == 200
            assert ask(running.port, INFER).status == 200
            assert sum(map(_held, clients)) < most
            assert _descriptors() - before <= crowd + 1 + most
            assert _rss_bytes() - memory < 32 * 2**20  # most of it is the clients'
        for _ in range(20):
            assert ask(running.port, INFER).status == 200
    finally:
        running.stop(1)
    assert _descriptors() <= before
