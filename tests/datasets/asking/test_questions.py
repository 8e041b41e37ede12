"""The file that `label next` writes and `label push` reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgefactory.datasets.asking import Question, Questions, read_questions, write_questions
from edgefactory.datasets.errors import InputError, MissingError, StorageError

QUESTIONS = Questions(
    "next/1",
    "a" * 64,
    "grey levels",
    (Question("b" * 64, ("calibration",)), Question("c" * 64, ("motion", "uncertain"), 0.25)),
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_questions(tmp_path / "next.json", QUESTIONS)
    assert read_questions(tmp_path / "next.json") == QUESTIONS


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"schema": "next/2"}, "next/2"),
        ({"anything": 1}, "anything"),
        ({"asked": [{"id": "b" * 64, "why": []}]}, "why"),
        ({"asked": [{"id": "b" * 64, "why": ["bored"]}]}, "bored"),
        ({"asked": [{"id": "b" * 64, "why": ["gap"]}] * 2}, "twice"),
    ],
)
def test_what_is_not_valid_is_refused(tmp_path: Path, change: dict[str, object], says: str) -> None:
    path = tmp_path / "next.json"
    write_questions(path, QUESTIONS)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=says) as refused:
        read_questions(path)
    assert str(path) in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"next\.json"):
        read_questions(tmp_path / "next.json")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageError, match="file"):
        write_questions(tmp_path / "file" / "next.json", QUESTIONS)
