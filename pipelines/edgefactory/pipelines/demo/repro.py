"""Runs the stages of a workspace by DVC, which leaves out what has not changed.

DVC is told to be silent: each stage shows its own heading, progress and result on the terminal
that it inherits, and leaves a note of its failure behind.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from edgefactory.datasets.errors import EdgefactoryError
from edgefactory.pipelines.commands.branch_run import PYTHON_VARIABLE
from edgefactory.pipelines.running import RUN_VARIABLE, StageFailure, read_failure
from edgefactory.pipelines.stages import LINE
from edgefactory.pipelines.workspace import Workspace

END_SECONDS = 30  # that the line has to end after it was asked to


@dataclass(frozen=True)
class Run:
    """A run of the line: wall seconds, the stages that it did, those it left as they were.

    `failure` is the stage that stopped it, whose line is on the screen already.
    """

    seconds: float
    done: tuple[str, ...]
    unchanged: tuple[str, ...]
    failure: StageFailure | None = None


def reproduce(workspace: Workspace, edge_python: Path, verbose: bool) -> Run:
    """Bring every stage of `workspace` up to date.

    Raises KeyboardInterrupt when it was interrupted and no stage has said so, EdgefactoryError
    when DVC itself cannot go on or a stage was ended from outside.
    """
    run_id, started = uuid.uuid4().hex, time.monotonic()
    forget_failure(workspace)
    code, asked = _dvc(workspace, _environment(edge_python, run_id), verbose)
    seconds = time.monotonic() - started
    done = tuple(stage.name for stage in LINE if _belongs(workspace, stage.name, run_id))
    unchanged = tuple(stage.name for stage in LINE if stage.name not in done)
    failure = read_failure(workspace) if code else None
    if asked and (failure is None or not failure.shown):
        # It came between two stages, or a library swallowed it and the stage went on to its end.
        raise KeyboardInterrupt
    if code == 0:
        return Run(seconds, done, unchanged)
    if failure is None:
        raise EdgefactoryError(f"the line stopped: {_why(workspace)}")
    if not failure.shown:
        raise EdgefactoryError(f"{failure.stage}: {failure.line}")
    return Run(seconds, done, (), failure)


def forget_failure(workspace: Workspace) -> None:
    """Take away the note of an earlier failure."""
    (workspace.state / "failed.json").unlink(missing_ok=True)


def _dvc(workspace: Workspace, environment: dict[str, str], verbose: bool) -> tuple[int, bool]:
    """DVC's exit code, and whether it was asked to end."""
    command = [sys.executable, "-m", "dvc", "repro", *([] if verbose else ["--quiet"])]
    process = subprocess.Popen(
        command,
        cwd=workspace.root,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        process_group=0,  # signals reach it through us alone, so each stage gets one
    )
    with _forwarding(process) as asked:
        code = process.wait()
    return code, bool(asked)


@contextlib.contextmanager
def _forwarding(process: "subprocess.Popen[bytes]") -> Iterator[list[int]]:
    """Pass what would end us on to the line, and let it end in its own words; lists the signals."""
    asked: list[int] = []

    def forward(number: int, _frame: FrameType | None) -> None:
        if asked:
            os.killpg(process.pid, signal.SIGKILL)  # asked twice: at once
        asked.append(number)
        signal.alarm(END_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)

    def give_up(_number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    wanted = {
        signal.SIGINT: forward,
        signal.SIGTERM: forward,
        signal.SIGHUP: forward,
        signal.SIGQUIT: forward,
        signal.SIGALRM: give_up,
    }
    before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    try:
        yield asked
    finally:
        signal.alarm(0)
        for number, handler in before.items():
            signal.signal(number, handler)


def _environment(edge_python: Path, run_id: str) -> dict[str, str]:
    tools = Path(sys.executable).parent
    return {
        **os.environ,
        "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', '')}",
        "SHELL": "/bin/sh",
        RUN_VARIABLE: run_id,
        PYTHON_VARIABLE: str(edge_python),
    }


def _belongs(workspace: Workspace, stage: str, run_id: str) -> bool:
    try:
        path = workspace.state / "seconds" / f"{stage}.json"
        return bool(json.loads(path.read_text(encoding="utf-8"))["run"] == run_id)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _why(workspace: Workspace) -> str:
    """What DVC says when it is asked to plan the line without running it."""
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "repro", "--dry"],
        cwd=workspace.root,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    said = lines[0].removeprefix("ERROR:").strip() if lines else "a stage did not start"
    return f"{said}; logs are in {workspace.state / 'log'}"
