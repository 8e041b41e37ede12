"""A command of a policy runs within bounds, and is believed about one release only."""

import sys
from pathlib import Path

import pytest

from edge_runtime.contract import digest
from edgefactory.registry.gating.replay import MAX_OUTPUT, replay
from edgefactory.registry.policy import Replay

RELEASE = digest(b"a release")
GOOD = f'{{"schema": "figures/1", "release": "{RELEASE}", "figures": {{"counted": 0.9}}}}'


def run(folder: Path, code: str, timeout_s: float = 60) -> "tuple[object, str]":
    command = (sys.executable, "-c", code)
    rule = Replay(name="r", command=command, timeout_s=timeout_s, at_least={"counted": 0.5})
    done = replay(rule, folder, RELEASE, folder)
    return done.figures, done.why


def test_it_gets_the_folder_and_gives_figures(tmp_path: Path) -> None:
    figures, why = run(tmp_path, f"import sys; assert sys.argv[1]; print('{GOOD}')")
    assert (figures, why) == ({"counted": 0.9}, "")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import sys; sys.exit('it is broken')", "exit code 1: it is broken"),
        ("print('no json')", "not a valid"),
        (f"print('{GOOD.replace(RELEASE, digest(b'other'))}')", "not of this one"),
        (f"print('x' * {MAX_OUTPUT + 2})", "more than"),
        ("pass", "not a valid"),
    ],
)
def test_what_cannot_be_read_gives_none(tmp_path: Path, code: str, why: str) -> None:
    figures, said = run(tmp_path, code)
    assert figures is None
    assert why in said
    assert "\n" not in said


def test_what_does_not_end_is_ended(tmp_path: Path) -> None:
    """Also where it leaves a child behind that holds the pipe."""
    child = "[sys.executable, '-c', 'input()'], stdin=subprocess.PIPE"
    code = f"import subprocess, sys; subprocess.Popen({child}).wait()"
    figures, said = run(tmp_path, code, timeout_s=1)
    assert figures is None
    assert "within 1 s" in said


def test_a_command_that_is_not_there_is_said(tmp_path: Path) -> None:
    rule = Replay(name="r", command=("/nowhere/at/all",), at_least={"counted": 0.5})
    assert "cannot be run" in replay(rule, tmp_path, RELEASE, tmp_path).why


def test_it_does_not_see_the_passphrase_of_the_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEFACTORY_KEYS_PASSPHRASE", "secret")
    code = f"import os; assert 'EDGEFACTORY_KEYS_PASSPHRASE' not in os.environ; print('{GOOD}')"
    assert run(tmp_path, code)[0] is not None
