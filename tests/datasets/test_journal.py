"""The journal: what was finished is read back, whatever a kill left behind it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgefactory.datasets.errors import StorageError
from edgefactory.datasets.journal import Journal, journal_path


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: int
    text: str


def test_entries_come_back_in_their_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "scratch" / "work.jsonl", Entry)
    assert list(journal.read()) == []
    assert not (tmp_path / "scratch").exists()
    first, second, third = (Entry(key, f"line\n{key}") for key in range(3))
    journal.append([first, second])
    journal.append([third])
    assert list(Journal(journal.path, Entry).read()) == [first, second, third]


def test_no_entries_are_nothing_to_read(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "work.jsonl", Entry)
    journal.append([])
    assert list(journal.read()) == []


entries = st.lists(st.builds(Entry, st.integers(0, 99), st.text(max_size=20)), max_size=6)


@given(entries, entries, st.integers(0, 400))
@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_cut_costs_the_entry_that_it_hits(
    tmp_path: Path, before: list[Entry], after: list[Entry], kept_bytes: int
) -> None:
    journal = Journal(tmp_path / "work.jsonl", Entry)
    journal.path.unlink(missing_ok=True)
    for entry in before:
        journal.append([entry])
    content = journal.path.read_bytes() if before else b""
    journal.path.write_bytes(content[:kept_bytes])
    journal.append(after)
    survivors = list(journal.read())
    whole = survivors[: len(survivors) - len(after)]
    assert survivors[len(whole) :] == after
    assert whole == before[: len(whole)]
    if kept_bytes >= len(content):
        assert whole == before


@pytest.mark.parametrize(
    "damage", [b"\0" * 50, b"\xff\xfe\n", b'{"key": 1}\n', b'{"key": 1, "text": "", "x": 0}\n']
)
def test_what_is_no_entry_is_left_out(tmp_path: Path, damage: bytes) -> None:
    journal = Journal(tmp_path / "work.jsonl", Entry)
    journal.append([Entry(1, "a")])
    with journal.path.open("ab") as file:
        file.write(damage)
    journal.append([Entry(2, "b")])
    assert list(journal.read()) == [Entry(1, "a"), Entry(2, "b")]


def test_other_work_has_another_journal(tmp_path: Path) -> None:
    one = journal_path(tmp_path, "seen", ["model", {"tile": 0.5}])
    assert one == journal_path(tmp_path, "seen", ["model", {"tile": 0.5}])
    assert one != journal_path(tmp_path, "seen", ["model", {"tile": 0.6}])
    assert one.parent == tmp_path


def test_a_place_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"work\.jsonl cannot be written"):
        Journal(tmp_path / "file" / "work.jsonl", Entry).append([Entry(1, "a")])
