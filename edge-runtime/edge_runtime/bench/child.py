"""The measuring process as its parent sees it: asked, answered in time, or ended."""

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import msgspec

import edge_runtime
from edge_runtime.bench.messages import Answer, Refused
from edge_runtime.bench.reference import ENVIRONMENT
from edge_runtime.errors import EdgeRuntimeError, InputError, MissingError, RefusedError

COMMAND = (sys.executable, "-B", "-P", "-m", "edge_runtime.bench.worker")
FAREWELL_S = 10.0  # for a child that has closed its output to end
_KINDS = {kind.exit_code: kind for kind in (InputError, MissingError, RefusedError)}

T = TypeVar("T")


class Child:
    """One measuring process; `with` ends it. `folder` is where it runs, an empty one."""

    def __init__(self, folder: Path, name: str) -> None:
        self._name = name
        self._left = b""
        self._process = subprocess.Popen(
            COMMAND,
            bufsize=0,  # nothing is left to be written when it ends
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env={**os.environ, **ENVIRONMENT, "PYTHONPATH": _path()},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._end()

    def ask(self, question: object, kind: type[T], seconds: float, what: str) -> T:
        """The child's answer to `question`, of the `kind` that is expected.

        Raises what the child says, or RefusedError when it has died, or has not answered within
        `seconds`; `what` says what it was doing.
        """
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(msgspec.json.encode(question) + b"\n")
            line = self._line(time.monotonic() + seconds)
        except TimeoutError:
            self._end()
            raise RefusedError(
                f"{self._name}: {what} took longer than {seconds:g} s; the engine hangs, or the "
                "model is too slow for this box"
            ) from None
        except OSError:
            line = b""
        if not line:
            raise RefusedError(f"{self._name}: the engine {self._fate()} while {what}")
        answer: Answer = msgspec.json.decode(line, type=Answer)
        if isinstance(answer, Refused):
            raise _KINDS.get(answer.exit_code, EdgeRuntimeError)(answer.error)
        assert isinstance(answer, kind)
        return answer

    def _line(self, deadline: float) -> bytes:
        """The next line; nothing when the child has gone. Raises TimeoutError."""
        assert self._process.stdout is not None
        handle = self._process.stdout.fileno()
        readable = select.poll()
        readable.register(handle, select.POLLIN)
        while b"\n" not in self._left:
            if not readable.poll(max(0.0, deadline - time.monotonic()) * 1e3):
                raise TimeoutError
            read = os.read(handle, 65536)
            if not read:
                return b""
            self._left += read
        line, _, self._left = self._left.partition(b"\n")
        return line

    def _fate(self) -> str:
        try:
            code = self._process.wait(FAREWELL_S)
        except subprocess.TimeoutExpired:
            return "fell silent"
        if code >= 0:
            return f"ended with exit code {code}"
        return f"was ended by {signal.Signals(-code).name}"

    def _end(self) -> None:
        self._process.kill()
        with self._process:
            pass  # its pipes are closed, and it is waited for


def _path() -> str:
    """The module path of the child: this very code first, then what the parent was given."""
    ours = str(Path(edge_runtime.__file__).parents[1])
    return os.pathsep.join([ours, *filter(None, [os.environ.get("PYTHONPATH")])])
