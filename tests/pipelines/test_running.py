"""How a stage runs: its log, its seconds, and the note that a failure leaves."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from edgefactory.datasets.errors import GateError
from edgefactory.pipelines import cli, quiet, running
from edgefactory.pipelines.running import RUN_VARIABLE, StageRun, read_failure
from edgefactory.pipelines.workspace import Workspace

TraceFunction = Callable[[FrameType, str, Any], Any]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "params.yaml").write_text("{}")
    return tmp_path


def test_what_libraries_print_goes_to_the_log(
    root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with StageRun("train", root, verbose=False) as stage:
        os.write(1, b"noise on stdout\n")
        os.write(2, b"noise on stderr\n")
        stage.screen.note("for the user")
        stage.succeed("done")
    shown = capfd.readouterr()
    assert shown.out == ""
    assert shown.err == "for the user\n"
    log = (root / ".edgefactory" / "log" / "train.log").read_text()
    assert log == "noise on stdout\nnoise on stderr\n"


def test_verbose_leaves_the_noise_on_the_screen(
    root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with StageRun("train", root, verbose=True) as stage:
        os.write(2, b"noise\n")
        stage.succeed("done")
    assert "noise" in capfd.readouterr().err


def test_success_writes_the_seconds_and_no_failure(root: Path) -> None:
    with StageRun("gate", root, verbose=False) as stage:
        stage.succeed("done")
    written = json.loads((root / ".edgefactory" / "seconds" / "gate.json").read_text())
    assert written["stage"] == "gate"
    assert 0 <= written["seconds"] < 5
    assert read_failure(Workspace(root)) is None


def test_failure_leaves_a_note_and_the_traceback_in_the_log(root: Path) -> None:
    with pytest.raises(GateError), StageRun("gate", root, verbose=False):
        raise GateError("too slow")
    note = read_failure(Workspace(root))
    assert note is not None
    assert (note.stage, note.exit_code, note.line, note.shown) == ("gate", 4, "too slow", True)
    assert "GateError: too slow" in (root / ".edgefactory" / "log" / "gate.log").read_text()
    assert not (root / ".edgefactory" / "seconds").exists()


def test_in_a_run_of_the_line_a_stage_shows_where_it_stands(
    root: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(RUN_VARIABLE, "abc")
    with StageRun("gate", root, verbose=False) as stage:
        stage.succeed("passed")
    shown = capfd.readouterr().err.splitlines()
    assert shown[0].split()[:2] == ["9/12", "gate"]
    assert shown[1].strip().startswith("passed  (")
    written = json.loads((root / ".edgefactory" / "seconds" / "gate.json").read_text())
    assert written["run"] == "abc"


def test_a_stage_that_is_killed_leaves_a_note_that_nobody_has_seen(root: Path) -> None:
    code = (
        "import os, pathlib, signal\n"
        "from edgefactory.pipelines.running import StageRun\n"
        f"with StageRun('train', pathlib.Path({str(root)!r}), False):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    note = read_failure(Workspace(root))
    assert note is not None
    assert (note.stage, note.exit_code, note.shown) == ("train", 1, False)


def test_an_interrupt_at_any_step_is_told_to_the_user_and_noted(
    root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ours = (running.__file__, quiet.__file__)
    left = steps = 0

    def interrupt(frame: FrameType, event: str, _arg: object) -> TraceFunction | None:
        nonlocal left
        if frame.f_code.co_filename not in ours:
            return None
        if event == "line" and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
        return interrupt

    while True:
        left = steps = steps + 1
        sys.settrace(interrupt)
        try:
            code = cli.main(["gate", "--workspace", str(root)])
        finally:
            sys.settrace(None)
        said = capfd.readouterr().err
        if left > 0:
            break
        assert code == 130, steps
        assert said == "edgefactory: Interrupted; run the same command again to continue.\n", steps
        note = read_failure(Workspace(root))
        assert note is None or note.exit_code in {1, 3, 130}, steps
    assert steps > 40
    assert code == 3
    assert said.count("\n") == 1


def test_a_damaged_note_is_no_note(root: Path) -> None:
    (root / ".edgefactory").mkdir()
    (root / ".edgefactory" / "failed.json").write_text('{"stage": 1')
    assert read_failure(Workspace(root)) is None
