"""A site enrolled with a real publisher, behind a real web server."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.cli import main
from edge_runtime.enrolment import Enrolment, enroll
from edge_runtime.state import State

from .publishing import Publisher
from .registering import Registry
from .serving import Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A running web server over `tmp_path/published`."""
    folder = tmp_path / "published"
    folder.mkdir()
    running = Server(folder)
    thread = threading.Thread(target=running.serve_forever, args=(0.01,))
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.fixture
def publisher(server: Server) -> Publisher:
    """A publisher behind `server`, with nothing released yet."""
    return Publisher(server.folder)


@pytest.fixture
def state(tmp_path: Path, server: Server, publisher: Publisher) -> State:
    """A site that is enrolled with `publisher`."""
    site_state = State(tmp_path / "state")
    enroll(site_state, Enrolment(server.url, "branch-0001", "north", publisher.root))
    return site_state


@pytest.fixture
def registry(server: Server, tmp_path: Path) -> Registry:
    """The factory's registry behind `server`, with nothing released yet."""
    return Registry(server, tmp_path / "factory")


@pytest.fixture
def site(registry: Registry, server: Server, tmp_path: Path) -> State:
    """A site enrolled with `registry` by the file of its first root."""
    folder = tmp_path / "site"
    command = ["--state", str(folder), "enroll", "--url", server.url, "--site", "branch-0001"]
    assert main([*command, "--root", str(registry.root)]) == 0
    return State(folder)
