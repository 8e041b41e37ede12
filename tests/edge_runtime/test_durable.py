"""A write leaves the old bytes or the new, wherever it is cut off."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_runtime import durable
from edge_runtime.errors import MissingError, StorageError
from edge_runtime.trust import Marks, RoleMark, highwater

OPERATIONS = ("open", "fsync")


class PowerCutError(Exception):
    """The box went off in the middle of an operation."""


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> Iterator["PowerCut"]:
    """Power that can be cut at the n-th file operation."""
    power = PowerCut(monkeypatch)
    yield power
    monkeypatch.undo()


class PowerCut:
    """Counts opens, fsyncs and renames, and raises at number `at` (0: never)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at = 0
        self.count = 0
        for name in OPERATIONS:
            monkeypatch.setattr(os, name, self._counting(getattr(os, name)))
        monkeypatch.setattr(Path, "replace", self._counting(Path.replace))

    def _counting(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            self.count += 1
            if self.count == self.at:
                raise PowerCutError
            return operation(*args, **kwargs)

        return counted


def test_a_write_cut_at_any_operation_leaves_old_or_new(tmp_path: Path, cut: PowerCut) -> None:
    path = tmp_path / "file"
    durable.write(path, b"old")
    cut.count = 0
    durable.write(path, b"old")
    operations = cut.count
    assert operations == 5  # open, fsync, rename, open the folder, fsync it
    for at in range(1, operations + 1):
        cut.at, cut.count = at, 0
        with pytest.raises(PowerCutError):
            durable.write(path, b"new")
        cut.at = 0
        assert path.read_bytes() in {b"old", b"new"}
        durable.write(path, b"old")


def test_marks_cut_at_any_operation_are_old_or_new_and_never_lost(
    tmp_path: Path, cut: PowerCut
) -> None:
    old = highwater.save(tmp_path, Marks(roles={"root": RoleMark(1, "")}))
    new = highwater.raise_roles(old, {"root": RoleMark(2, "")}, now=1e9)
    cut.count = 0
    highwater.save(tmp_path, old)
    operations = cut.count
    for at in range(1, operations + 1):
        cut.at, cut.count = at, 0
        with pytest.raises(PowerCutError):
            highwater.save(tmp_path, new)
        cut.at = 0
        assert highwater.load(tmp_path).roles["root"].version in {1, 2}
    assert operations == 10


def test_errors_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="the disk is full"):
        _write_to(Path("/dev/full"))
    with pytest.raises(StorageError, match="Not a directory"):
        durable.make_folder(Path("/dev/null/folder"))
    with pytest.raises(MissingError, match="expected the thing"):
        durable.read(tmp_path / "none", 10, "the thing")
    (tmp_path / "long").write_bytes(b"x" * 11)
    with pytest.raises(StorageError, match="longer than 10 bytes"):
        durable.read(tmp_path / "long", 10, "the thing")


def _write_to(path: Path) -> None:
    with durable.storage(path), path.open("wb") as file:
        file.write(b"x")
