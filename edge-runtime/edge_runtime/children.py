"""Processes of ours that end when we do, however that happens.

The parent holds the one end of a pipe, the life line, that the child watches: the kernel kills the
child when nobody holds it any more. (PDEATHSIG would end it with the *thread* that started it.)
"""

import _thread
import contextlib
import fcntl
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import edge_runtime

COMMAND: Final = (sys.executable, "-P", "-m")
FAREWELL_S: Final = 5.0
LAST_WAIT_S: Final = 0.5


def start(
    module: str, arguments: tuple[str, ...], handles: tuple[int, ...], *, quiet: bool = False
) -> "subprocess.Popen[bytes]":
    """A process that runs `module` with `arguments`, then the numbers of `handles`, which it
    inherits. What a `quiet` one says on stderr is dropped. Raises OSError."""
    paths = [str(Path(edge_runtime.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return subprocess.Popen(
        [*COMMAND, module, *arguments, *map(str, handles)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if quiet else None,
        pass_fds=handles,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )


def fate(process: "subprocess.Popen[bytes]") -> str:
    """How a process that no longer answers ended, in words."""
    try:
        code = process.wait(FAREWELL_S)
    except subprocess.TimeoutExpired:
        return "fell silent"
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


def end(process: "subprocess.Popen[bytes]", handles: contextlib.ExitStack) -> None:
    """End the process. It is waited for elsewhere: whose request was the last need not wait, and
    one that hangs in the kernel holds up nobody.

    This may run wherever an object dies, so nothing is locked here, as a `threading.Thread` would.
    """
    process.kill()
    handles.close()
    try:
        _thread.start_new_thread(process.wait, ())
    except RuntimeError:  # no more threads, or the interpreter ends
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(LAST_WAIT_S)


def end_with_parent(life: int) -> None:
    """In the child: end when nobody holds the other end of `life`, and before the parent does
    where memory runs out; leave the parent's signals to it."""
    for meant_for_the_parent in (signal.SIGINT, signal.SIGTERM):
        signal.signal(meant_for_the_parent, signal.SIG_IGN)
    fcntl.fcntl(life, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(life, fcntl.F_SETSIG, signal.SIGKILL)  # instead of SIGIO: also if it is stopped
    fcntl.fcntl(life, fcntl.F_SETFL, fcntl.fcntl(life, fcntl.F_GETFL) | os.O_ASYNC)
    line = select.poll()
    line.register(life, 0)
    if line.poll(0):  # it had gone before we listened
        sys.exit(1)
    with contextlib.suppress(OSError):  # if memory runs out, it is us who should go
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
