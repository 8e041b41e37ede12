"""The daemon whole: it answers over its socket, shows what became of it, and tells what it saw."""

import socket

import msgspec
import pytest

from edge_runtime.cli import main
from edge_runtime.contract import CameraWatch, ModelWatch, SignalWatch, SignedTelemetry, Watch, read
from edge_runtime.contract.sealing import peek_telemetry, verify
from edge_runtime.daemon.answering import serving_settings, update_panels, watch_panel
from edge_runtime.daemon.loop import Daemon
from edge_runtime.daemon.parts import parts
from edge_runtime.daemon.settings import ServeSettings, TelemetrySettings
from edge_runtime.errors import InputError
from edge_runtime.serving import Row
from edge_runtime.state import State
from edge_runtime.store import Barred, Journal, ModelSlots
from edge_runtime.update import Wish, once
from edge_runtime.watching import Watcher

from ..models import build, png, scene
from ..oip.loading import Said, get, hear, post
from ..publishing import Publisher
from .running import QUICK, running, until


def ask(state: State, request: bytes) -> Said:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect(str(state.socket))
        client.sendall(request)
        return hear(client)


@pytest.mark.component
def test_it_answers_shows_what_runs_and_tells_what_it_saw(
    state: State, publisher: Publisher
) -> None:
    publisher.publish(build(1))
    once(state, Wish("squares"), lambda *_: None)
    watcher = Watcher()
    told = msgspec.structs.replace(QUICK, telemetry=TelemetrySettings(every_s=1))
    daemon = Daemon(state, lambda: told, (watcher.tap,), parts(state, told, watcher.summary))
    with running(daemon):
        until(state.socket.exists)
        assert ask(state, get("/v2/health/ready")).status == 200
        picture = post("/v2/models/squares/infer", png(scene((8, 8))), "Content-Type: image/png")
        said = ask(state, picture)
        assert said.status == 200
        assert [decision["label"] for decision in said.json["decisions"]] == ["square"]
        page = ask(state, get("/status.json")).json
        titles = [panel["title"] for panel in page["panels"]]
        assert titles == ["Updates of squares", "Drift and camera"]
        outbox = state.folder / "telemetry"
        until(lambda: outbox.is_dir() and any(outbox.glob("*.json")))
        first = min(outbox.glob("*.json"))
    signed = read(first, SignedTelemetry)
    verify(signed, state.site().device_key)
    assert peek_telemetry(signed).watch.models["squares"].calls == 1
    assert not state.socket.exists()


def test_beyond_loopback_a_token_and_tls_are_demanded(state: State) -> None:
    with pytest.raises(InputError, match="give a token file, a TLS certificate"):
        serving_settings(ServeSettings(listen="0.0.0.0:8110"), state)
    assert serving_settings(ServeSettings(), state).access is None
    here = serving_settings(ServeSettings(listen="127.0.0.1:8110"), state).access
    assert here is not None
    assert here.port == 8110


@pytest.mark.parametrize("wrong", ["here", "127.0.0.1:http", "0.0.0.0:8110"])
def test_a_wrong_listen_is_refused_before_anything_is_loaded(
    monkeypatch: pytest.MonkeyPatch, state: State, publisher: Publisher, wrong: str
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("a daemon was begun")

    publisher.publish(build(1))
    once(state, Wish("squares"), lambda *_: None)
    monkeypatch.setattr("edge_runtime.daemon.loop.Daemon", never)
    assert main(["--state", str(state.folder), "run", "--listen", wrong]) == InputError.exit_code


def test_the_page_says_why_nothing_newer_runs() -> None:
    barred = {"f" * 64: Barred("2.0.0 was refused on trial: 9 of 20 live pictures differ")}
    slots = ModelSlots(phase="failed", reason="2.0.0 was refused on trial", barred=barred)
    (panel,) = update_panels(Journal(models={"cctv": slots}))
    assert panel.title == "Updates of cctv"
    assert Row("phase", "failed", "bad") in panel.rows
    assert Row("why nothing newer", "2.0.0 was refused on trial", "bad") in panel.rows
    assert panel.rows[-1].name == "not tried again: ffffffffffff"


def test_the_page_says_what_to_do_about_drift_and_camera() -> None:
    signals = {"brightness": SignalWatch("drifting", 0.6, 0.3), "score": SignalWatch("too few")}
    model = ModelWatch("a" * 64, "onnx-int8", 90, 0, 60, signals)
    camera = CameraWatch("covered", 12.5, 80, {"covered": 40})
    rows = watch_panel(Watch("fix camera", camera, {"cctv": model})).rows
    assert rows == (
        Row("what to do", "fix camera", "bad"),
        Row("camera", "covered", "bad"),
        Row("cctv: looked at", "60 of 90 calls"),
        Row("cctv: brightness", "drifting", "bad", 2.0),
        Row("cctv: score", "too few"),
    )
