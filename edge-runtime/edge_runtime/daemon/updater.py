"""One poll: `edge-runtime once` in a process of its own, which ends at its deadline at the latest.

What an update needs (metadata, engines that are tried) never stays in the daemon, and an update
that hangs or is killed for memory is a failed poll and nothing more.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
from msgspec import Struct

from edge_runtime.daemon.settings import ModelSettings

MAX_ANSWER_BYTES = 1024 * 1024


class Polled(Struct, frozen=True):
    """What a poll came to: the outcome of the update, or the error in a line."""

    outcome: str = ""
    version: str = ""
    reason: str = ""
    error: str = ""
    retry_after: float = 0.0


class Updater:
    """Runs one update at a time; `stop` ends it early, which an update survives."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def poll(self, model: str, settings: ModelSettings, deadline: float) -> Polled:
        """Update `model`, leaving a new release on trial; at most `deadline` seconds."""
        with self._lock:
            if self._stopped:
                return Polled(error="the daemon stops")
            process = subprocess.Popen(
                self._command(model, settings),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            self._process = process
        ended = threading.Event()
        timer = threading.Timer(deadline, _end, (process, ended))
        timer.daemon = True
        timer.start()
        try:
            assert process.stdout is not None
            answer = process.stdout.read(MAX_ANSWER_BYTES)
            process.stdout.close()
            code = process.wait()
        finally:
            timer.cancel()
            self._process = None
        if ended.is_set():
            return Polled(error=f"the update did not end in {deadline:g} s and was killed")
        return _parsed(answer, code)

    def stop(self) -> None:
        """End the update that runs, and begin no other."""
        with self._lock:
            self._stopped = True
            if self._process is not None:
                _kill(self._process)

    def _command(self, model: str, settings: ModelSettings) -> list[str]:
        command = [sys.executable, "-P", "-m", "edge_runtime", "--state", str(self._state)]
        command += ["once", "--trial", "--json", "--model", model]
        command += ["--threads", str(settings.threads)]
        return [*command, "--engine", settings.engine] if settings.engine else command


def _end(process: subprocess.Popen[bytes], ended: threading.Event) -> None:
    ended.set()
    _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _parsed(answer: bytes, code: int) -> Polled:
    try:
        found = msgspec.json.decode(answer, type=Polled)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
        found = Polled()
    if code != 0 or not found.outcome:
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        error = found.error or f"the update ended with {how}"
        return Polled(error=error, retry_after=found.retry_after)
    return found
