"""The daemon's streams: they decide, count, reconnect, and change when they are told."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from edge_runtime.cli import main
from edge_runtime.contract import CameraWatch, Event, LineCrossed, Watch
from edge_runtime.daemon import Settings
from edge_runtime.daemon import stream as streaming
from edge_runtime.daemon.polling import Pace
from edge_runtime.daemon.settings import StreamSettings
from edge_runtime.daemon.stream import Facts
from edge_runtime.daemon.streaming import Around, Streams
from edge_runtime.hosting import Host
from edge_runtime.serving.live import Live
from edge_runtime.state import State
from edge_runtime.watching import Watcher

from ..daemon.running import until
from ..serving import Server
from .videos import WebCamera, covered, crossing, film, room

pytestmark = pytest.mark.component

LINE = "64,96,64,0"


class Branch:
    """Streams on a host, with what they share."""

    def __init__(self, folder: Path, host: Host) -> None:
        self.state, self.host = State(folder), host
        self.watcher, self.live = Watcher(), Live(True)
        pace = Pace(first=0.1, longest=0.1)
        self.streams = Streams(Around(self.state, self.watcher, self.live, pace))

    def take(self, **streams: StreamSettings) -> None:
        """Settings with these streams."""
        self.streams.take(Settings(streams=streams))

    @contextmanager
    def running(self, **streams: StreamSettings) -> Iterator[None]:
        """These streams, until the context is left."""
        self.take(**streams)
        with self.streams(self.host):
            yield

    def facts(self, name: str = "lobby") -> Facts:
        """What came of a stream."""
        return self.streams._running[name].facts

    def camera(self, name: str = "lobby") -> CameraWatch:
        """What is watched of it."""
        cameras = _cameras(self.watcher.summary())
        return cameras.get(name, CameraWatch(None, None, 0))

    def crossings(self, name: str = "lobby") -> list[LineCrossed]:
        """Its events."""
        lines = (self.state.events / f"{name}.jsonl").read_bytes().splitlines()
        found = [msgspec.json.decode(line, type=Event) for line in lines]
        return [event for event in found if isinstance(event, LineCrossed)]


@pytest.fixture
def branch(tmp_path: Path, host: Host) -> Branch:
    """A branch whose models are loaded."""
    (tmp_path / "branch").mkdir()
    return Branch(tmp_path / "branch", host)


def _stream(source: str, **more: object) -> StreamSettings:
    given = {"source": source, "model": "squares", "fps": 20.0, **more}
    return msgspec.convert(given, StreamSettings)


def _web(server: Server, **more: object) -> StreamSettings:
    return _stream(server.url.replace("//", "//me:secret@") + "/camera", **more)


def test_a_file_is_decided_about_counted_shown_and_ends(branch: Branch) -> None:
    film(branch.state.folder / "a.mp4", 40, crossing)
    with branch.running(lobby=_stream("a.mp4", line=LINE)):
        until(lambda: branch.facts().phase == "ended")
        assert branch.facts() == Facts("ended", "the file has ended", 40, 0, 40, 0, 0)
        ways = {(event.direction, event.stream) for event in branch.crossings()}
        assert ways == {("in", "lobby"), ("out", "lobby")}
        first = branch.crossings()[0]
        assert first.seconds == pytest.approx(first.frame / 20, abs=0.01)
        assert isinstance(first.time, float)
        seen = branch.live.get("squares")
        assert seen is not None
        assert (seen.width, seen.height, seen.stream) == (128, 96, "lobby")
        assert len(seen.decisions.boxes) == 2
        (panel,) = branch.streams.panels()
        assert panel.rows[0].name == "lobby"
        assert panel.rows[0].value.startswith("ended, a.mp4; 40 pictures decided; 1 in; 1 out")
        lines = set(branch.streams.counted())
        assert 'edge_runtime_stream_decided_total{stream="lobby",model="squares"} 40' in lines
        assert 'edge_runtime_stream_up{stream="lobby",model="squares"} 0' in lines
        labels = '{stream="lobby",model="squares",direction="in"}'
        assert f"edge_runtime_stream_crossings_total{labels} 1" in lines
        assert branch.watcher.summary().route == "none"  # an end is no fault


def test_a_file_that_breaks_off_is_not_played_again(branch: Branch, tmp_path: Path) -> None:
    whole = film(tmp_path / "a.avi", 20, room).read_bytes()
    (branch.state.folder / "a.avi").write_bytes(whole[: len(whole) // 2])
    with branch.running(lobby=_stream("a.avi")):
        until(lambda: branch.facts().phase == "ended")
        assert 0 < branch.facts().decided < 20


def test_a_camera_that_goes_is_opened_again_and_no_password_is_told(
    branch: Branch, server: Server, camera: WebCamera, caplog: pytest.LogCaptureFixture
) -> None:
    camera.most = 4
    with caplog.at_level(logging.DEBUG), branch.running(lobby=_web(server)):
        until(lambda: branch.facts().reconnects >= 2 and branch.facts().decided > 4)
        assert branch.facts().frames >= 8
        del server.answers["/camera"]
        until(lambda: branch.facts().why == "Server returned 404 Not Found")
        assert branch.facts().phase == "waiting"
        server.answers["/camera"] = camera
        before = branch.facts().decided
        until(lambda: branch.facts().decided > before)
        told = repr((branch.streams.panels(), [*branch.streams.counted()], branch.facts()))
    assert f"stream lobby ({server.url}): waiting" in caplog.text
    assert "secret" not in caplog.text + told
    assert "/camera" not in caplog.text + told


def test_a_camera_that_hangs_is_closed_opened_again_and_reported(
    branch: Branch, server: Server, camera: WebCamera
) -> None:
    camera.most, camera.hangs = 3, True
    with branch.running(lobby=_web(server, silent_s=0.7)):
        until(lambda: branch.facts().why == "no picture within 0.7 s")
        until(lambda: camera.connections >= 3)
        server.answers["/camera"] = lambda handler: handler.reply(503, b"")
        until(lambda: branch.camera().fault == "no signal")
        assert branch.watcher.summary().route == "fix camera"


def test_without_a_model_it_waits_and_goes_on_when_there_is_one(
    branch: Branch, server: Server, camera: WebCamera
) -> None:
    loaded = branch.host.get("squares")
    branch.host.drop("squares")
    with branch.running(lobby=_web(server)):
        until(lambda: "no model 'squares' is loaded here" in branch.facts().why)
        assert branch.facts().phase == "running"
        assert branch.facts().decided == 0
        branch.host.put("squares", loaded)
        until(lambda: branch.facts().decided > 2)
        assert branch.facts().why == ""
    assert camera.connections == 1


def test_settings_start_stop_and_change_streams_and_leave_the_others(
    branch: Branch, server: Server, camera: WebCamera
) -> None:
    with branch.running(lobby=_web(server)):
        until(lambda: branch.facts().decided > 0)
        first = branch.streams._running["lobby"]
        branch.take(lobby=_web(server), door=_web(server, fps=10.0))
        until(lambda: branch.facts("door").decided > 0)
        assert branch.streams._running["lobby"] is first
        assert {row.name for row in branch.streams.panels()[0].rows} == {"lobby", "door"}
        branch.take(lobby=_web(server, fps=5.0))
        assert [*branch.streams._running] == ["lobby"]
        assert first.join(0)
        assert first.facts.phase == "stopped"
        until(lambda: branch.facts().decided > 0)
        assert [*_cameras(branch.watcher.summary())] == ["lobby"]
    assert branch.streams.panels() == ()
    assert camera.connections == 3


def _cameras(watch: Watch) -> dict[str, CameraWatch]:
    return {} if isinstance(watch.cameras, msgspec.UnsetType) else watch.cameras


def test_without_pyav_there_is_one_line_and_the_rest_goes_on(
    branch: Branch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    why = "video needs PyAV: pip install 'edgefactory-runtime[video]'"
    monkeypatch.setattr(streaming, "no_decoder", lambda: why)
    caplog.set_level(logging.WARNING, "edge_runtime")
    with branch.running(lobby=_stream("a.mp4")):
        until(lambda: branch.facts() == Facts("refused", why))
    assert [record.getMessage() for record in caplog.records] == [
        f"stream lobby (a.mp4): refused: {why}"
    ]


@pytest.mark.usefixtures("often")
def test_what_a_camera_showed_is_known_after_a_restart_until_it_is_told_otherwise(
    branch: Branch, server: Server, camera: WebCamera, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = branch.state.cameras / "lobby.json"
    camera.shown = room
    with branch.running(lobby=_web(server)):
        until(kept.exists)
    camera.shown = lambda index: room(index)[::-1, ::-1]  # turned while the box was off
    again = Branch(branch.state.folder, branch.host)
    with again.running(lobby=_web(server)):
        until(lambda: again.camera().fault == "moved")
        assert main(["--state", str(branch.state.folder), "relearn", "lobby"]) == 0
        until(lambda: again.camera().fault is None and kept.exists())
        assert again.watcher.summary().route == "none"
    assert main(["--state", str(branch.state.folder), "relearn", "door"]) == 3
    assert "nothing is kept of a stream 'door' (kept: lobby)" in capsys.readouterr().err


@pytest.mark.usefixtures("often")
def test_one_covered_lens_does_not_speak_for_the_other_camera(
    branch: Branch, server: Server, camera: WebCamera
) -> None:
    camera.shown = room
    film(branch.state.folder / "a.mp4", 60, lambda i: room(i) if i < 30 else covered(i))
    with branch.running(lobby=_stream("a.mp4"), door=_web(server)):
        until(lambda: branch.facts("lobby").phase == "ended")
        until(lambda: branch.camera("door").pictures > 30)
        assert branch.camera("lobby").fault == "covered"
        assert branch.camera("door").fault is None
        summary = branch.watcher.summary()
        assert summary.route == "fix camera"
        assert summary.camera == branch.camera("lobby")
