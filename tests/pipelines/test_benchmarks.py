"""The benchmarks' one way: listed, run by name, refused by a name that there is not."""

import subprocess
import sys
from pathlib import Path

RUN = Path(__file__).parents[2] / "benchmarks" / "run.py"


def _run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, RUN, *arguments], capture_output=True, text=True, timeout=180, check=False
    )


def test_without_a_name_they_are_listed() -> None:
    done = _run()
    assert done.returncode == 0
    names = [line.split()[0] for line in done.stdout.splitlines()]
    assert "main-job" in names
    assert names == sorted(names)


def test_an_unknown_name_is_refused() -> None:
    done = _run("mian-job")
    assert done.returncode == 2
    assert "there are:" in done.stderr
    assert "main-job" in done.stderr
