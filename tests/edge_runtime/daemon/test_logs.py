"""The daemon's log: JSON lines, bounded, readable while it rotates, harmless when it fails."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest

from edge_runtime.cli import main
from edge_runtime.daemon import logs

LOG = logging.getLogger("edge_runtime.daemon.test")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A state's log folder that is written to."""
    handler = logs.start(tmp_path / "logs")
    yield tmp_path / "logs"
    logs.stop(handler)


def test_a_line_says_when_what_and_about_which_model(folder: Path) -> None:
    before = time.time()
    LOG.info("hello %s", "you\nthere", extra={"event": "start", "model": "cctv"})
    (line,) = logs.read(folder)
    assert abs(logs.moment_of(line) - before) < 60
    found = json.loads(line)
    del found["time"]
    assert found == {
        "level": "info",
        "event": "start",
        "model": "cctv",
        "message": "hello you\nthere",
    }


def test_old_lines_give_way(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (handler,) = (h for h in logging.getLogger("edge_runtime").handlers if h.level == logging.INFO)
    monkeypatch.setattr(handler, "maxBytes", 2000)
    for number in range(500):
        LOG.info("line %d", number)
    assert len(list(folder.iterdir())) == logs.KEPT + 1
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 2000 * (logs.KEPT + 1)
    said = [json.loads(line)["message"] for line in logs.read(folder)]
    assert said == [f"line {n}" for n in range(500 - len(said), 500)]


def test_following_goes_on_across_a_rotation(folder: Path) -> None:
    path = folder / logs.NAME
    path.write_text('{"message": "before"}\n')
    steps: Iterator[Callable[[], object]] = iter(
        [
            lambda: path.write_text('{"message": "before"}\n{"message": "one"}\n{"mess'),
            lambda: path.write_text(
                '{"message": "before"}\n{"message": "one"}\n{"message": "two"}\n'
            ),
            lambda: path.rename(folder / f"{logs.NAME}.1"),
            lambda: path.write_text('{"message": "three"}\n'),
        ]
    )
    coming = logs.follow(
        folder,
        nap=lambda: next(steps)(),  # noqa: PLW0108 (it must be asked for anew each time)
    )
    assert [json.loads(line)["message"] for line in islice(coming, 3)] == ["one", "two", "three"]


def test_since_leaves_out_what_is_older(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / logs.NAME
    path.write_text('{"time": "2026-01-01T00:00:00+00:00", "message": "old"}\nnot JSON\n')
    LOG.info("new")
    state = str(folder.parent)
    assert main(["--state", state, "logs", "--since", "1h"]) == 0
    assert [json.loads(s)["message"] for s in capsys.readouterr().out.splitlines()] == ["new"]
    assert main(["--state", state, "logs"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_without_a_log_the_next_step_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--state", str(tmp_path), "logs"]) == 3
    assert "no daemon has run here" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["logs", "--since", "yesterday"])
    assert ended.value.code == 2
