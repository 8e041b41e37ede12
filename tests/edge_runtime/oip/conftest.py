"""A server on loopback and on a unix socket over a few small models."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.hosting import Host
from edge_runtime.serving import Panel, Row, Server, ServingSettings, listen_on

from ..models import build, build_colours, build_digits
from ..recordings import AUDIO
from .loading import loaded

PANELS = (Panel("Drift", (Row("input", "0.02", "good", 0.1),)),)


@pytest.fixture(scope="module")
def host() -> Host:
    """The detector "squares", the classifiers "digits" and (of sounds) "words", embeddings of
    "colours"."""
    found = Host()
    found.put("squares", loaded(build(1)))
    found.put("digits", loaded(build_digits(2)))
    found.put("words", loaded(build_digits(2, AUDIO)))
    found.put("colours", loaded(build_colours(2)))
    return found


@pytest.fixture(scope="module")
def unix_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the unix socket lies."""
    return tmp_path_factory.mktemp("box") / "socket"


@pytest.fixture(scope="module")
def server(host: Host, unix_path: Path) -> Iterator[Server]:
    """A running server over `host`."""
    running = Server(host, ServingSettings(listen_on("127.0.0.1:0"), unix_path), lambda: PANELS)
    running.start()
    yield running
    running.stop(1)
