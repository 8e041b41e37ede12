"""What an operator got wrong is said in a line at the start, before anything is loaded; on reload
it changes nothing."""

import logging
import socket
import subprocess
import sys
from collections.abc import Iterator

import msgspec
import pytest

from edge_runtime.cli import main
from edge_runtime.daemon import Settings, parse_settings
from edge_runtime.daemon.loop import Daemon
from edge_runtime.daemon.parts import ServeCheck, parts
from edge_runtime.daemon.settings import ServeSettings, StreamSettings
from edge_runtime.errors import BusyError, InputError
from edge_runtime.state import State
from edge_runtime.update import Wish, once
from edge_runtime.watching import Watcher

from ..models import build
from ..oip.loading import get
from ..publishing import Publisher
from .running import running, until
from .test_activating import LONELY
from .test_answering import ask


@pytest.fixture
def busy() -> Iterator[str]:
    """An address where somebody else listens."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield f"127.0.0.1:{other.getsockname()[1]}"


def at(listen: str | None, **streams: str) -> Settings:
    """Settings that listen there, with streams of these models."""
    wanted = {name: StreamSettings("rtsp://cam", model) for name, model in streams.items()}
    return msgspec.structs.replace(LONELY, serve=ServeSettings(listen=listen), streams=wanted)


@pytest.fixture
def active(state: State, publisher: Publisher) -> State:
    """A site with an active release."""
    publisher.publish(build(1))
    once(state, Wish("squares"), lambda *_: None)
    return state


def never(*_: object) -> None:
    raise AssertionError("something was loaded")


def test_a_busy_port_is_said_before_anything_is_loaded(
    active: State, busy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_runtime.daemon.keeper.Loading", never)
    with pytest.raises(InputError, match=f"cannot listen on {busy}: Address already in use"):
        Daemon(active, lambda: at(busy), check=ServeCheck(active)).run()
    assert not active.socket.exists()
    active.socket.write_text("no socket", encoding="utf-8")
    with pytest.raises(InputError, match="a file that is no socket lies there"):
        Daemon(active, lambda: at(None), check=ServeCheck(active)).run()
    assert active.socket.read_text(encoding="utf-8") == "no socket"


def test_a_second_daemon_hears_of_the_first_and_not_of_its_port(active: State, busy: str) -> None:
    with active.daemon_lock(), pytest.raises(BusyError, match="has a daemon already"):
        Daemon(active, lambda: at(busy), check=ServeCheck(active)).run()


def test_a_stream_of_a_model_that_does_not_run_here_is_said_before_anything_is_loaded(
    active: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_runtime.daemon.keeper.Loading", never)
    said = r"streams\.lobby: model 'ocr' does not run here; expected one of squares$"
    with pytest.raises(InputError, match=said):
        Daemon(active, lambda: at(None, lobby="ocr")).run()
    journal_names = msgspec.structs.replace(at(None, lobby="ocr"), models={})
    with pytest.raises(InputError, match=said):
        Daemon(active, lambda: journal_names).run()


@pytest.mark.component
def test_on_reload_the_old_settings_stay_and_the_log_says_why(
    active: State, busy: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "edge_runtime")
    with socket.create_server(("127.0.0.1", 0)) as free:
        ours = f"127.0.0.1:{free.getsockname()[1]}"
    said = [at(ours)]
    working = parts(active, said[0], Watcher().summary)
    daemon = Daemon(active, lambda: said[0], parts=working, check=ServeCheck(active))

    def reloaded(settings: Settings) -> str:
        said[0] = settings
        caplog.clear()
        daemon.reload()
        until(lambda: any(_event(r).startswith("reload") for r in caplog.records))
        return next(r.getMessage() for r in caplog.records if _event(r).startswith("reload"))

    with running(daemon):
        until(active.socket.exists)
        assert reloaded(at(busy)).startswith(f"the old settings stay: cannot listen on {busy}: ")
        assert "no address of this box" in reloaded(at("no.such.host.invalid:1"))
        assert reloaded(at(ours, lobby="ocr")).startswith("the old settings stay: streams.lobby: ")
        assert reloaded(at(ours)) == "the settings were read again"  # our own port is not busy
        assert ask(active, get("/v2/health/ready")).status == 200


def _event(record: logging.LogRecord) -> str:
    return str(getattr(record, "event", ""))


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("collector.example/telemetry", "is not a URL with http"),
        ("ftp://collector.example", "is not a URL with http"),
        ("https://", "is not a URL with http"),
        ("https://collector.example:port/", "is not a URL with http"),
        ("https://me:secret@collector.example/", "user or password, which are not sent"),
    ],
)
def test_a_collector_that_cannot_be_told_is_refused_and_no_password_is_repeated(
    url: str, says: str
) -> None:
    with pytest.raises(InputError, match=says) as caught:
        parse_settings(f"[telemetry]\ncollector = '{url}'")
    assert "secret" not in str(caught.value)
    assert parse_settings("[telemetry]\ncollector = 'https://c.example/t'").telemetry is not None


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--video", "a.mp4", "--out", "o", "--line", "1,2"], "line '1,2' is not x0,y0,x1,y1"),
        (["--video", "a.mp4", "--out", "o", "--listen", "127.0.0.1:1"], "--listen is the daemon's"),
        (["--line", "1,2,3,4"], "--line needs --video or --pictures"),
        (["--out", "o"], "--out needs --video or --pictures"),
        (["--video", "none.mp4", "--out", "o"], "none.mp4 does not exist"),
    ],
)
def test_options_of_run_are_looked_at_before_anything_is_loaded(
    active: State,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    says: str,
) -> None:
    monkeypatch.setattr("edge_runtime.running.open_variant", never)
    monkeypatch.setattr("edge_runtime.daemon.keeper.Loading", never)
    assert main(["--state", str(active.folder), "run", *options]) in {2, 3}
    lines = capsys.readouterr().err.splitlines()
    assert [says in line for line in lines] == [True]


@pytest.mark.component
def test_run_itself_ends_with_2_and_one_line(active: State, busy: str) -> None:
    command = [sys.executable, "-m", "edge_runtime", "--state", str(active.folder)]
    command += ["run", "--model", "squares", "--listen", busy]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 2
    said = f"cannot listen on {busy}: Address already in use; choose another address"
    assert ended.stderr == f"edge-runtime: error: {said}\n"
