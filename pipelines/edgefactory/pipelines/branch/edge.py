"""`edge-runtime` as a process of its own: called, listened to, and ended cleanly."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from edgefactory.datasets.errors import (
    EdgefactoryError,
    GateError,
    InputError,
    MissingError,
    StorageError,
    TrustError,
)
from edgefactory.pipelines.screen import ProgressCallback

END_SECONDS = 10  # that a process has after it was asked to end
KEPT_LINES = 50
_INTERRUPTED = (130, -signal.SIGINT)

_ERRORS: dict[int, type[EdgefactoryError]] = {
    error.exit_code: error
    for error in (InputError, MissingError, GateError, TrustError, StorageError)
}
# What a process at a branch may know of this machine: no Python path, no proxy, no keys.
_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "OMP_NUM_THREADS")


@dataclass(frozen=True)
class Edge:
    """The runtime of one branch: its Python, its state folder, and where it works."""

    python: Path
    state: Path
    cwd: Path

    def call(self, arguments: Sequence[str], progress: ProgressCallback) -> dict[str, Any]:
        """Run one command of `edge-runtime` with --json and return what it said.

        Its stderr is shown as progress and copied to ours. Raises the error that its exit code
        stands for, with its own line.
        """
        command = [str(self.python), "-I", "-m", "edge_runtime", "--json"]
        command += ["--state", str(self.state), *arguments]
        process = subprocess.Popen(
            command,
            cwd=self.cwd,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        said: deque[str] = deque(maxlen=KEPT_LINES)
        assert process.stderr is not None
        assert process.stdout is not None
        listener = threading.Thread(
            target=_listen, args=(process.stderr, said, progress, arguments[0]), daemon=True
        )
        listener.start()
        try:
            output = process.stdout.read()
            code = process.wait()
        finally:
            _end(process)
            listener.join(timeout=END_SECONDS)
            process.stdout.close()
        if code in _INTERRUPTED:
            raise KeyboardInterrupt
        if code:
            raise _failure(code, arguments[0], said)
        return _parse(output, arguments[0])


def _listen(stream: IO[str], said: deque[str], progress: ProgressCallback, command: str) -> None:
    with stream:
        for line in stream:
            sys.stderr.write(line)
            if line.strip():
                said.append(line.strip())
                progress(0, 0, f"{command}: {line.strip()}")


def _end(process: "subprocess.Popen[str]") -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _failure(code: int, command: str, said: Sequence[str]) -> EdgefactoryError:
    line = said[-1].removeprefix("edge-runtime: ").removeprefix("error: ") if said else "no message"
    kind = _ERRORS.get(code, EdgefactoryError)
    return kind(f"the branch stopped at `edge-runtime {command}`: {line}")


def _parse(output: str, command: str) -> dict[str, Any]:
    try:
        found = json.loads(output)
    except ValueError as error:
        raise EdgefactoryError(
            f"`edge-runtime {command}` printed no JSON: {output[:200]}"
        ) from error
    if not isinstance(found, dict):
        raise EdgefactoryError(
            f"`edge-runtime {command}` printed {type(found).__name__}, not an object"
        )
    return found
