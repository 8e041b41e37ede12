"""A host with the model of squares, and a web camera."""

from collections.abc import Iterator

import pytest

from edge_runtime.daemon import eye as eyes
from edge_runtime.hosting import Host, Loaded
from edge_runtime.watching import watcher

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


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cameras are looked at as often as they show something."""
    monkeypatch.setattr(watcher, "CAMERA_EVERY_S", 0.0)
    monkeypatch.setattr(eyes, "LOOK_S", 0.0)
