"""A real camera's protocol: GStreamer's RTSP server plays H.264, goes, and comes again."""

import contextlib
import logging
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from edge_runtime.decoding.decoder import Decoder
from edge_runtime.decoding.source import source_of
from edge_runtime.errors import MissingError
from edge_runtime.hosting import Host

from ..daemon.running import until
from .rtsp import TCP, UDP, Camera, gstreamer
from .test_streams import LINE, Branch, _stream
from .videos import HEIGHT, WIDTH, crossing, film

pytestmark = pytest.mark.component


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """In which the server runs."""
    return gstreamer(tmp_path_factory.mktemp("gstreamer"))


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of 20 seconds, in which squares cross every two seconds."""
    path = tmp_path_factory.mktemp("film") / "lobby.mkv"
    return film(path, 400, lambda index: crossing(index % 40), codec="libx264")


@pytest.mark.usefixtures("often")
def test_a_stream_that_is_cut_is_opened_again_and_all_is_told_but_the_password(
    environment: Mapping[str, str],
    shown: Path,
    host: Host,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "edge_runtime")
    branch, camera = Branch(tmp_path, host), Camera(environment, shown)
    with contextlib.ExitStack() as running:
        with camera:
            running.enter_context(branch.running(lobby=_stream(camera.url, line=LINE, silent_s=2)))
            until(lambda: _crossed(branch) >= 2)
            assert branch.facts().phase == "running"
            assert branch.facts().reconnects == 0
        until(lambda: branch.facts().why == "Connection refused")
        assert branch.facts().phase == "waiting"
        until(lambda: branch.camera().fault == "no signal")
        assert branch.watcher.summary().route == "fix camera"
        before, crossed = branch.facts(), _crossed(branch)
        with camera:
            until(lambda: _crossed(branch) >= crossed + 2)
            until(lambda: branch.camera().fault != "no signal")
            facts = branch.facts()
            assert (facts.phase, facts.why) == ("running", "")
            assert facts.reconnects >= 1
            assert facts.decided > before.decided
            told = repr((branch.streams.panels(), [*branch.streams.counted()], facts))
            running.close()
    assert {event.direction for event in branch.crossings()} == {"in", "out"}
    assert len(branch.crossings()) >= crossed + 2
    for what in ("running", "waiting", "running", "stopped"):
        assert f"stream lobby (rtsp://127.0.0.1:{camera.port}): {what}" in caplog.text
    assert "secret" not in caplog.text + told
    assert "/lobby" not in caplog.text + told


def _crossed(branch: Branch) -> int:
    return sum(branch.streams._running["lobby"].counts.values())


def _opened(url: str) -> str:
    """The size of the first picture and over what it came; else why there is none."""
    with Decoder(source_of(url, Path("/")), 20) as decoder:
        try:
            frame = decoder.next(60)
        except MissingError as error:
            return str(error)
        assert frame is not None
        over = "UDP" if _has_udp(decoder._process.pid) else "TCP"
        return f"{frame.picture.shape[1]}×{frame.picture.shape[0]} over {over}"


def _has_udp(process: int) -> bool:
    table = Path(f"/proc/{process}/net/udp").read_text(encoding="ascii").splitlines()[1:]
    here = {f"socket:[{line.split()[9]}]" for line in table}
    return any(str(fd.readlink()) in here for fd in Path(f"/proc/{process}/fd").iterdir())


@pytest.mark.parametrize(("transports", "taken"), [(TCP, "TCP"), (UDP | TCP, "TCP"), (UDP, "UDP")])
def test_tcp_is_preferred_and_udp_taken_where_a_camera_has_nothing_else(
    environment: Mapping[str, str], shown: Path, transports: int, taken: str
) -> None:
    camera = Camera(environment, shown, transports)
    with camera:
        assert _opened(camera.url) == f"{WIDTH}×{HEIGHT} over {taken}"


def test_a_camera_that_hangs_is_missing(environment: Mapping[str, str], shown: Path) -> None:
    camera = Camera(environment, shown)
    with camera as process, Decoder(source_of(camera.url, Path("/")), 20) as decoder:
        assert decoder.next(60) is not None
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(MissingError, match="no picture within 1 s"):
            _drain(decoder)


def _drain(decoder: Decoder) -> None:
    while decoder.next(1) is not None:
        pass


def test_what_a_camera_refuses_is_said(environment: Mapping[str, str], shown: Path) -> None:
    camera = Camera(environment, shown)
    with camera:
        assert "401 Unauthorized" in _opened(camera.url.replace("secret", "wrong"))
        assert "401 Unauthorized" in _opened(camera.url.replace("me:secret@", ""))
        assert "404 Not Found" in _opened(camera.url.replace("lobby", "other"))
