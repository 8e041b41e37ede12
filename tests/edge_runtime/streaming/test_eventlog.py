"""Events are whole lines, in files of bounded size, whatever happened before."""

from pathlib import Path

import msgspec
import pytest

from edge_runtime.contract import Event, LineCrossed
from edge_runtime.errors import StorageError
from edge_runtime.streams import eventlog
from edge_runtime.streams.eventlog import EventLog


def _event(number: int) -> LineCrossed:
    return LineCrossed("lobby", number, 1.5, 7, "in", "a" * 64, time=1.5)


def _read(path: Path) -> list[int]:
    events = [msgspec.json.decode(line, type=Event) for line in path.read_bytes().splitlines()]
    return [event.frame for event in events if isinstance(event, LineCrossed)]


def test_they_are_appended_over_restarts_and_a_torn_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "events" / "lobby.jsonl"
    EventLog(path).add([_event(1), _event(2)])
    with path.open("ab") as file:
        file.write(b'{"type":"line_cro')
    EventLog(path).add([_event(3)])
    assert _read(path) == [1, 2, 3]


def test_the_oldest_give_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eventlog, "MAX_BYTES", 1000)
    path = tmp_path / "lobby.jsonl"
    log = EventLog(path)
    for number in range(100):
        log.add([_event(number)])
    files = [path, *(path.with_name(f"lobby.jsonl.{n}") for n in range(1, eventlog.KEPT + 1))]
    assert sorted(tmp_path.iterdir()) == sorted(files)
    assert all(file.stat().st_size <= 1000 for file in files)
    found = [number for file in reversed(files) for number in _read(file)]
    assert found == list(range(found[0], 100))


def test_where_it_cannot_be_written_it_says_so_and_goes_on_later(tmp_path: Path) -> None:
    path = tmp_path / "lobby.jsonl"
    log = EventLog(path)
    log.add([_event(1)])
    path.rename(tmp_path / "kept")
    path.mkdir()
    with pytest.raises(StorageError, match=r"lobby\.jsonl"):
        log.add([_event(2)])
    path.rmdir()
    (tmp_path / "kept").rename(path)
    log.add([_event(3)])
    assert _read(path) == [1, 3]
