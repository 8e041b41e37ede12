"""The daemon whole, with a camera: its lens is covered, and headquarters are told."""

from pathlib import Path

import msgspec
import pytest

from edge_runtime.contract import SignedTelemetry, Watch, read
from edge_runtime.contract.sealing import peek_telemetry
from edge_runtime.daemon import Settings
from edge_runtime.daemon.loop import Daemon
from edge_runtime.daemon.parts import parts
from edge_runtime.daemon.settings import StreamSettings, TelemetrySettings
from edge_runtime.daemon.streaming import Around, Streams
from edge_runtime.serving.live import Live
from edge_runtime.state import State
from edge_runtime.update import Wish, once
from edge_runtime.watching import Watcher, watcher

from ..daemon.running import QUICK, running, until
from ..daemon.test_answering import ask
from ..models import build
from ..oip.loading import get
from ..publishing import Publisher
from ..serving import Server
from .videos import WebCamera, covered, room


def _told(folder: Path) -> list[Watch]:
    return [
        peek_telemetry(read(path, SignedTelemetry)).watch for path in sorted(folder.glob("*.json"))
    ]


@pytest.mark.component
def test_a_covered_lens_is_told_and_a_reload_takes_the_camera_away(
    state: State,
    publisher: Publisher,
    server: Server,
    camera: WebCamera,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watcher, "CAMERA_EVERY_S", 0.0)
    publisher.publish(build(1))
    once(state, Wish("squares"), lambda *_: None)
    source = server.url.replace("//", "//me:secret@") + "/camera"
    streams = {"lobby": StreamSettings(source, "squares", 20)}
    said: list[Settings] = [
        msgspec.structs.replace(QUICK, telemetry=TelemetrySettings(every_s=1), streams=streams)
    ]
    camera.shown = room
    eyes = Watcher()
    part = Streams(Around(state, eyes, Live(True)))
    daemon = Daemon(
        state,
        lambda: said[0],
        (eyes.tap,),
        parts(state, said[0], eyes.summary, part),
        part.take,
    )
    with running(daemon):
        until((state.cameras / "lobby.json").exists)
        camera.shown = covered
        until(
            lambda: any(watch.route == "fix camera" for watch in _told(state.folder / "telemetry"))
        )
        page = ask(state, get("/status.json")).json
        rows = {row["name"]: row["value"] for panel in page["panels"] for row in panel["rows"]}
        assert rows["camera lobby"] == "covered"
        assert rows["lobby"].startswith(f"running, {server.url}; ")
        assert page["models"][0]["live"]["stream"] == "lobby"
        assert ask(state, get("/live/squares")).body.startswith(b"\xff\xd8")
        assert 'edge_runtime_stream_up{stream="lobby"' in ask(state, get("/metrics")).body.decode()
        assert "secret" not in str(page)
        said[0] = msgspec.structs.replace(said[0], streams={})
        daemon.reload()
        until(lambda: not part.panels())
        assert ask(state, get("/v2/health/ready")).status == 200
    watch = next(w for w in _told(state.folder / "telemetry") if w.route == "fix camera")
    assert not isinstance(watch.cameras, msgspec.UnsetType)
    assert watch.cameras["lobby"].fault == "covered"
    assert watch.models["squares"].calls > 20
