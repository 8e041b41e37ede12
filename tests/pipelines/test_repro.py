"""Interrupting the whole line, whatever a stage makes of it."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edgefactory.pipelines.demo import reproduce
from edgefactory.pipelines.workspace import Workspace

pytestmark = pytest.mark.component

# A library that swallows the interrupt: the stage goes on to its good end.
DEAF = """
import pathlib, signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
pathlib.Path("started").touch()
signal.sigwait({signal.SIGINT})
pathlib.Path("heard").touch()
"""


def test_an_interrupt_that_a_stage_swallows_still_ends_the_line(tmp_path: Path) -> None:
    (tmp_path / "deaf.py").write_text(DEAF)
    (tmp_path / "dvc.yaml").write_text(
        f"stages:\n  deaf:\n    cmd: {sys.executable} deaf.py\n    always_changed: true\n"
    )
    subprocess.run(
        [sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet"], cwd=tmp_path, check=True
    )
    (tmp_path / ".edgefactory").mkdir()
    threading.Thread(target=_interrupt_when, args=(tmp_path / "started",), daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        reproduce(Workspace(tmp_path), Path(sys.executable), verbose=False)
    assert (tmp_path / "heard").exists()


def _interrupt_when(started: Path) -> None:
    pause = threading.Event()
    while not started.exists():
        pause.wait(0.01)
    os.kill(os.getpid(), signal.SIGINT)
