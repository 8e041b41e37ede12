"""Daemons for tests: in a thread with live pictures, or as the process that systemd starts."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from edge_runtime.daemon import ModelSettings, Settings
from edge_runtime.daemon.loop import Daemon
from edge_runtime.daemon.settings import (
    CrashSettings,
    DwellSettings,
    PollSettings,
    ShadowSettings,
)
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.hosting import Host
from edge_runtime.state import State
from edge_runtime.store import ModelSlots, load_journal

from ..models import scene

QUICK = Settings(
    models={"squares": ModelSettings()},
    poll=PollSettings(interval_s=0.3, first_backoff_s=0.2, longest_backoff_s=0.3),
    shadow=ShadowSettings(spacing_s=0),
    dwell=DwellSettings(seconds=0.2, latency_ms=1000),  # a busy machine is no verdict
    crash=CrashSettings(),
)
TOML = """
[poll]
interval_s = 0.3
first_backoff_s = 0.2
longest_backoff_s = 0.3
deadline_s = {deadline}
[shadow]
wait_s = 0.2
[dwell]
seconds = {dwell}
latency_ms = 1000
"""


def slots(state: State) -> ModelSlots:
    """What the journal says of the model of the tests."""
    return load_journal(state.journal).of("squares")


def until(holds: Callable[[], bool], seconds: float = 120) -> None:
    """Wait until it holds; a test that waits in vain fails."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


class Camera:
    """A part of the daemon: lets the model look at one picture after the other, as long as it is
    `only` that version (None: whichever); `only` may be changed meanwhile."""

    def __init__(self, only: str | None = None) -> None:
        self.answered = self.failed = 0
        self.only = only

    @contextmanager
    def __call__(self, host: Host) -> Iterator[None]:
        ending = threading.Event()
        thread = threading.Thread(target=self._look, args=(host, ending))
        thread.start()
        try:
            yield
        finally:
            ending.set()
            thread.join()

    def _look(self, host: Host, ending: threading.Event) -> None:
        rng = np.random.default_rng(7)
        while not ending.wait(0.002):
            x, y = (int(v) for v in rng.integers(4, 36, 2))
            if "squares" not in host.names():
                continue
            if self.only not in {None, host.get("squares").active.release.version}:
                continue
            try:
                host.run("squares", scene((x, y))[None])
                self.answered += 1
            except EdgeRuntimeError:
                self.failed += 1


@contextmanager
def running(daemon: Daemon) -> Iterator[Daemon]:
    """The daemon in a thread; stopped, and its end awaited, at the end."""
    thread = threading.Thread(target=daemon.run)
    thread.start()
    try:
        yield daemon
    finally:
        daemon.stop()
        thread.join(60)
        assert not thread.is_alive()


@contextmanager
def in_thread(state: State, settings: Settings, camera: Camera) -> Iterator[Daemon]:
    """A running daemon with live pictures."""
    with running(Daemon(state, lambda: settings, parts=(camera,))) as daemon:
        yield daemon


@contextmanager
def process(
    state: State, deadline: float = 60, dwell: float = 0.2, notify: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """`edge-runtime run --model squares`; killed at the end if it still runs."""
    state.settings.write_text(TOML.format(deadline=deadline, dwell=dwell))
    environment = {**os.environ, "NOTIFY_SOCKET": str(notify) if notify else ""}
    started = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "edge_runtime",
            "--state",
            state.folder,
            "run",
            "--model",
            "squares",
        ],
        env=environment,
        stderr=subprocess.PIPE,
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate()
