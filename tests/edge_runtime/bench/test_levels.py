"""The reference's level is remembered for this box, for a while, and never in the way."""

import json
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.bench.levels import FRESH_S, KEPT, LevelFile, default_file, identity, usual
from edge_runtime.bench.settling import QUIET
from edge_runtime.machine import host


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "level.json"


def test_the_usual_level_is_remembered_for_each_number_of_threads(path: Path) -> None:
    for threads, ms in ((1, 0.25), (1, 0.26), (1, 0.27), (2, 0.5)):
        LevelFile(path).learn(threads, ms)
    known = LevelFile(path)
    assert (known.known(1), known.known(2), known.known(4)) == (0.26, 0.5, None)


def test_runs_on_a_busy_box_do_not_speak_for_its_level() -> None:
    assert usual([]) is None
    assert usual([0.37, 0.38]) == 0.375  # nothing better is known
    assert usual([0.37, 0.38, 0.4, 0.25]) == 0.25
    assert usual([0.37, 0.25, 0.26, 0.27, 0.5]) == 0.26


@given(st.lists(st.floats(0.1, 10), min_size=1))
def test_a_level_lies_near_the_lowest(seen: list[float]) -> None:
    found = usual(seen)
    assert found is not None
    assert min(seen) <= found <= QUIET * min(seen)


def test_only_the_last_runs_count(path: Path) -> None:
    LevelFile(path).learn(1, 0.1)
    for _ in range(KEPT):
        LevelFile(path).learn(1, 0.25)
    assert LevelFile(path).known(1) == 0.25


def test_another_box_knows_nothing(path: Path) -> None:
    LevelFile(path).learn(1, 0.25)
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "box": "0" * 64}))
    assert LevelFile(path).known(1) is None


def test_what_is_old_is_forgotten(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    LevelFile(path).learn(1, 0.25)
    later = time.time() + FRESH_S + 1
    monkeypatch.setattr(time, "time", lambda: later)
    known = LevelFile(path)
    assert known.known(1) is None
    known.learn(1, 0.3)
    assert known.known(1) == 0.3


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"box": 1}'])
def test_a_damaged_file_is_as_none(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    levels = LevelFile(path)
    assert levels.known(1) is None
    levels.learn(1, 0.25)
    assert levels.known(1) == 0.25


def test_boxes_are_told_apart_by_processor_and_system_and_not_by_packages() -> None:
    here = host()
    assert identity(here) == identity(msgspec.structs.replace(here, versions={}, python="4"))
    assert identity(here) != identity(msgspec.structs.replace(here, cores=here.cores + 1))


def test_the_file_lies_in_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_file() == tmp_path / "edge-runtime" / "level.json"
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert default_file() == Path.home() / ".cache" / "edge-runtime" / "level.json"
