"""`label auto` as its user runs it: killed with no warning, stopped by Ctrl-C, and run again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgefactory.datasets.carrying import write_snapshot
from edgefactory.datasets.documents import Header, Item
from edgefactory.datasets.manifest import read_manifest

from .snapshots import plain_pictures

EDGEFACTORY = Path(sys.executable).with_name("edgefactory")
PICTURES = 12
PATIENCE = 120.0  # seconds until a step that never comes is called a failure

pytestmark = pytest.mark.component


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """A snapshot of plain pictures."""
    contents = plain_pictures(PICTURES)
    items = [
        Item(key, f"images/{key}.png", 64, 48, "cam", index, index / 10, "train", ())
        for index, key in enumerate(contents)
    ]
    header = Header("tiny", "detection", ("person",), "teacher")
    write_snapshot(tmp_path / "before", header, items, lambda item: contents[item.id])
    return tmp_path / "before"


def command(snapshot: Path, teacher: Path, out: Path) -> list[str]:
    how = ["--engine", "onnxruntime", "--workers", "2", "--batch", "1", "--json"]
    teachers = ["--teacher", f"person:{teacher}"]
    return [str(EDGEFACTORY), "label", "auto", str(snapshot), *teachers, *how, "--out", str(out)]


@contextmanager
def held_up(snapshot: Path) -> Iterator[Callable[[], None]]:
    """The first picture becomes a pipe: whoever reads it waits, until what is yielded is called."""
    path = snapshot / read_manifest(snapshot).items[0].file
    content = path.read_bytes()
    path.unlink()
    os.mkfifo(path)

    def let_go() -> None:
        path.write_bytes(content)  # a pipe's reader gets this; without one it would wait
        path.unlink()
        path.write_bytes(content)

    yield let_go


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def journalled(scratch: Path) -> int:
    lines = [line for path in scratch.glob("*") for line in path.read_bytes().splitlines()]
    return sum(line.endswith(b"}") for line in lines)


def children(pid: int) -> list[int]:
    """The processes that `pid` has started, resource trackers aside."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    lines = {int(one): Path(f"/proc/{one}/cmdline").read_bytes() for one in found}
    return [one for one, line in lines.items() if b"spawn_main" in line]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def under_way(
    snapshot: Path, tiny_teacher: Path, tmp_path: Path
) -> Iterator[tuple[subprocess.Popen[str], Callable[[], None]]]:
    """`label auto`, with all done that can be while one worker waits for the first picture."""
    if not Path(f"/proc/{os.getpid()}/task").is_dir():
        pytest.skip("no /proc here to see processes in")
    out = tmp_path / "after"
    with (
        held_up(snapshot) as let_go,
        subprocess.Popen(
            command(snapshot, tiny_teacher, out),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        try:
            # The worker that waits holds one more picture, which is behind the first.
            until(lambda: journalled(tmp_path / ".after.labelling") == PICTURES - 2)
            yield process, let_go
        finally:
            process.kill()


def run_again(snapshot: Path, teacher: Path, out: Path) -> dict[str, object]:
    done = subprocess.run(
        command(snapshot, teacher, out), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    figures: dict[str, object] = json.loads(done.stdout)
    return figures


def test_after_a_kill_it_goes_on_where_it_stopped(
    under_way: tuple[subprocess.Popen[str], Callable[[], None]],
    snapshot: Path,
    tiny_teacher: Path,
    tmp_path: Path,
) -> None:
    process, let_go = under_way
    workers = children(process.pid)
    assert len(workers) == 2
    process.kill()
    process.wait()
    let_go()
    until(lambda: not any(is_running(pid) for pid in workers))
    assert not (tmp_path / "after").exists()
    figures = run_again(snapshot, tiny_teacher, tmp_path / "after")
    assert (figures["resumed"], figures["pictures"]) == (PICTURES - 2, PICTURES)
    assert not list(tmp_path.glob(".after*"))
    fresh = run_again(snapshot, tiny_teacher, tmp_path / "elsewhere")
    assert (fresh["resumed"], fresh["digest"]) == (0, figures["digest"])


def test_an_interrupt_is_one_line_and_leaves_no_process(
    under_way: tuple[subprocess.Popen[str], Callable[[], None]], tmp_path: Path
) -> None:
    process, _let_go = under_way
    workers = children(process.pid)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the workers are in the group
    _, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert error.splitlines()[-1].startswith("edgefactory: Interrupted")
    assert "Traceback" not in error
    assert not any(is_running(pid) for pid in workers)
    assert not (tmp_path / "after").exists()
    assert journalled(tmp_path / ".after.labelling") == PICTURES - 2
