"""A host with the model of squares, and a web camera."""

from collections.abc import Iterator

import pytest

from edge_runtime.hosting import Host, Loaded

from ..models import build
from ..oip.loading import loaded
from ..serving import Server
from .videos import WebCamera, crossing


@pytest.fixture(scope="package")
def squares_model() -> Loaded:
    """The detector of squares, loaded."""
    return loaded(build(1))


@pytest.fixture
def host(squares_model: Loaded) -> Host:
    """A host that runs it."""
    host = Host()
    host.put("squares", squares_model)
    return host


@pytest.fixture
def camera(server: Server) -> Iterator[WebCamera]:
    """A camera at /camera of `server`, that shows squares which cross."""
    camera = WebCamera(crossing)
    server.answers["/camera"] = camera
    yield camera
    camera.close()
