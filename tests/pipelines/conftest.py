"""Small real inputs: videos made on the spot, and a private cache folder."""

from pathlib import Path

import av
import numpy as np
import pytest

from edgefactory.pipelines.workspace import Workspace


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the factory, in place of the user's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "edgefactory"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A folder with the default parameters."""
    root = tmp_path / "work"
    root.mkdir()
    (root / "params.yaml").write_text("{}\n")
    return Workspace(root)


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A grey box that walks from left to right through 40 frames of 96x64 pixels."""
    path = tmp_path_factory.mktemp("video") / "walk.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuvj420p"
        for frame in range(40):
            pixels = np.full((64, 96, 3), 200, np.uint8)
            pixels[20:50, 2 * frame : 2 * frame + 12] = 60
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path
