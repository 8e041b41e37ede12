"""Environments of their own: made once, in the cache, with pinned packages only."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import pytest

from edgefactory.datasets.environments import (
    locked,
    make_venv,
    pinned_environment,
    python_of,
    run_installer,
)
from edgefactory.datasets.errors import InputError, MissingError, StorageError


def silent(_done: int, _total: int, _what: str) -> None:
    """No progress."""


@pytest.fixture
def environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where environments are made: in an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "edgefactory" / "environments"


def test_an_environment_is_made_once(environments: Path, tmp_path: Path) -> None:
    pins = tmp_path / "pins.txt"
    pins.write_text("# nothing\n")
    folder = pinned_environment("tool", pins, silent)
    assert folder.parent == environments
    prefix = [str(python_of(folder)), "-c", "import sys; print(sys.prefix)"]
    found = subprocess.run(prefix, capture_output=True, text=True, check=True)
    assert Path(found.stdout.strip()) == folder
    said: list[str] = []
    assert pinned_environment("tool", pins, lambda *about: said.append(about[2])) == folder
    assert said == []


def test_one_that_fails_is_never_complete(environments: Path, tmp_path: Path) -> None:
    pins = tmp_path / "pins.txt"
    pins.write_text("no requirement at all\n")
    for _ in range(2):
        with pytest.raises(MissingError, match=r"tool could not be installed: .*ERROR"):
            pinned_environment("tool", pins, silent)
    assert not list(environments.glob("*/complete"))


def test_pins_that_are_not_there(environments: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"pins .*none\.txt is not there"):
        pinned_environment("tool", tmp_path / "none.txt", silent)


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"")
    with pytest.raises(InputError, match="holds something else"):
        make_venv(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


def test_a_full_disk_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="it failed: no space left"):
        run_installer(["sh", "-c", "echo No space left on device >&2; exit 1"], "it failed")
    with pytest.raises(MissingError, match="it failed: ERROR: why"):
        run_installer(["sh", "-c", "echo ERROR: why >&2; echo end >&2; exit 1"], "it failed")


def test_a_lock_is_waited_for_or_refused(tmp_path: Path) -> None:
    path, order = tmp_path / "lock", []

    def second() -> None:
        with locked(path):
            order.append("second")

    with locked(path):
        with pytest.raises(InputError, match="in use"), locked(path, busy="in use"):
            pass
        thread = threading.Thread(target=second)
        thread.start()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
