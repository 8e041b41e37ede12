"""A write leaves the old bytes or the new, wherever it is cut off."""

import os
from pathlib import Path

import pytest

from edge_runtime import durable
from edge_runtime.errors import MissingError, StorageError
from edge_runtime.store import Journal, ModelSlots, load_journal, save_journal
from edge_runtime.trust import Marks, RoleMark, highwater

from .disks import CountedDisk


class PowerCutError(Exception):
    """The box went off in the middle of an operation."""


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Cut":
    """A disk that can be cut off at the n-th operation."""
    cut = Cut(tmp_path)
    monkeypatch.setattr(durable, "disk", cut)
    return cut


class Cut(CountedDisk):
    """Raises at operation number `at` (0: never)."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, self._cut)
        self.at = 0

    def _cut(self, number: int, name: str) -> None:
        if number == self.at:
            raise PowerCutError

    def __call__(self, at: int) -> None:
        """Count anew, and cut at `at`."""
        self.at, self.count = at, 0


def test_a_write_cut_at_any_operation_leaves_old_or_new(tmp_path: Path, disk: Cut) -> None:
    path = tmp_path / "file"
    durable.write(path, b"old")
    operations = disk.count
    assert operations == 6  # open, write, fsync, rename, open the folder, fsync it
    for at in range(1, operations + 1):
        disk(at)
        with pytest.raises(PowerCutError):
            durable.write(path, b"new")
        disk(0)
        assert path.read_bytes() in {b"old", b"new"}
        durable.write(path, b"old")


def test_marks_cut_at_any_operation_are_old_or_new_and_never_lost(
    tmp_path: Path, disk: Cut
) -> None:
    old = highwater.save(tmp_path, Marks(roles={"root": RoleMark(1, "")}))
    new = highwater.raise_roles(old, {"root": RoleMark(2, "")}, now=1e9)
    operations = disk.count
    for at in range(1, operations + 1):
        disk(at)
        with pytest.raises(PowerCutError):
            highwater.save(tmp_path, new)
        disk(0)
        assert highwater.load(tmp_path).roles["root"].version in {1, 2}
    assert operations == 12


def test_the_journal_cut_at_any_operation_is_old_or_new(tmp_path: Path, disk: Cut) -> None:
    path = tmp_path / "slots.json"
    old = Journal(models={"squares": ModelSlots(reason="old")})
    new = Journal(models={"squares": ModelSlots(reason="new")})
    save_journal(path, old)
    operations = disk.count
    for at in range(1, operations + 1):
        save_journal(path, old)
        disk(at)
        with pytest.raises(PowerCutError):
            save_journal(path, new)
        disk(0)
        assert load_journal(path) in (old, new)
    assert operations == 12


def test_bytes_gather_and_are_settled(tmp_path: Path, disk: Cut) -> None:
    for go_on, data in ((False, b"ab"), (True, b"cd")):
        with durable.gathering(tmp_path / "partial", go_on) as put:
            put(data)
    durable.settle(tmp_path / "partial", tmp_path / "final")
    assert (tmp_path / "final").read_bytes() == b"abcd"
    assert [operation[0] for operation in disk.log[4:]] == [
        *("open", "fsync", "replace"),
        *("open", "fsync"),
    ]


def test_a_disk_that_takes_less_than_it_was_given_gets_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(CountedDisk):
        def write(self, fd: int, data: bytes | memoryview, /) -> int:
            return os.write(fd, data[:3])

    monkeypatch.setattr(durable, "disk", Slow(tmp_path))
    durable.write(tmp_path / "file", b"0123456789")
    assert (tmp_path / "file").read_bytes() == b"0123456789"


def test_new_folders_are_synced_in_their_parents(tmp_path: Path, disk: Cut) -> None:
    durable.make_folder(tmp_path / "a" / "b")
    assert [operation[0] for operation in disk.log] == ["mkdir", "open", "fsync"] * 2
    disk(0)
    durable.make_folder(tmp_path / "a" / "b")
    assert disk.count == 0


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
