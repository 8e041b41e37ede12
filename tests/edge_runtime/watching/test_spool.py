"""What was flushed is told at least once, whatever happens, or is counted among the dropped."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.contract import Dropped
from edge_runtime.errors import InputError, StorageError
from edge_runtime.watching.spool import Spool

WRITER = """
import sys
from pathlib import Path
from edge_runtime.watching.spool import Spool
spool = Spool(Path(sys.argv[1]))
while True:
    for _ in range(3):
        spool.put("report", lambda epoch, sequence: b"%d " % sequence * 50)
    sys.stdout.write(f"{spool.flush()}\\n")
    sys.stdout.flush()
"""


def _body(text: bytes) -> Callable[[str, int], bytes]:
    return lambda _epoch, _sequence: text


def test_what_was_flushed_comes_by_class_and_goes_when_it_is_acknowledged(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db")
    spool.put("detail", _body(b"d"))
    spool.put("report", _body(b"r"))
    assert spool.batch(100) == ()  # not before it is on the disk
    assert spool.flush() == 2
    spool.put("alarm", _body(b"a"))
    spool.flush()
    batch = spool.batch(2)
    assert [(entry.sequence, entry.body) for entry in batch] == [(3, b"a"), (2, b"r")]
    spool.acknowledge(batch)
    assert [entry.body for entry in spool.batch(0)] == [b"d"]  # at least one
    spool.close()


def test_numbers_go_on_after_all_has_been_told(tmp_path: Path) -> None:
    """A number that was used twice would be taken for a double."""
    first = Spool(tmp_path / "spool.db")
    first.put("report", _body(b"1"))
    first.flush()
    first.acknowledge(first.batch(100))
    first.close()
    second = Spool(tmp_path / "spool.db")
    second.put("report", lambda epoch, sequence: f"{epoch} {sequence}".encode())
    second.flush()
    assert second.batch(100)[0].body == f"{first.epoch} 2".encode()
    second.close()


@pytest.mark.parametrize("size", [500, 2200, 5000])
def test_a_full_spool_drops_the_least_important_oldest_first_and_counts(
    tmp_path: Path, size: int
) -> None:
    limit = 200_000
    spool = Spool(tmp_path / "spool.db", limit)
    for number in range(400):
        for kind in ("alarm", "detail", "report"):
            spool.put(kind, _body(b"%05d" % number + kind[:1].encode() * size))
        spool.flush()
        assert (tmp_path / "spool.db").stat().st_size <= limit
        assert (tmp_path / "spool.db-wal").stat().st_size <= 500_000
    kept = spool.batch(10**9)
    dropped = spool.dropped
    assert (dropped.detail, dropped.report) == (400, 400)
    assert 0 < dropped.alarm < 400
    assert len(kept) == 400 - dropped.alarm
    assert [entry.body[:5] for entry in kept] == [b"%05d" % n for n in range(dropped.alarm, 400)]
    spool.close()
    assert Spool(tmp_path / "spool.db", limit).dropped == dropped


def test_what_waits_in_memory_is_bounded_too(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db")
    for kind in ("detail", "alarm"):
        for _ in range(1000):
            spool.put(kind, _body(b"x"))
    assert spool.dropped == Dropped(detail=976)
    with pytest.raises(InputError, match="too much for a spool"):
        spool.put("alarm", _body(b"x" * 10**7))
    spool.close()


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"no data base at all, but long enough to be read as one".ljust(8192),
        lambda data: data[:4096] + os.urandom(len(data) - 4096),
        lambda data: data[: len(data) // 2 // 512 * 512 + 100],
    ],
)
def test_a_damaged_file_is_set_aside_and_said_so(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "spool.db"
    first = Spool(path)
    for _ in range(50):
        first.put("report", _body(b"x" * 500))
    first.flush()
    first.close()
    path.write_bytes(damage(path.read_bytes()))
    second = Spool(path)
    assert "set aside as spool.db.damaged" in second.note
    assert (tmp_path / "spool.db.damaged").exists()
    assert second.epoch != first.epoch
    second.put("report", _body(b"new"))
    assert second.flush() == 1
    assert [entry.body for entry in second.batch(100)] == [b"new"]
    second.close()


def test_damage_while_it_runs_begins_a_new_epoch(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    spool = Spool(path)
    for _ in range(500):
        spool.put("report", _body(b"x" * 500))
    spool.flush()
    epoch = spool.epoch
    other = sqlite3.connect(path)
    other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    other.close()
    path.write_bytes(b"\xff" * path.stat().st_size)
    spool.put("alarm", _body(b"waits"))
    with pytest.raises(StorageError):
        spool.flush()
    assert spool.epoch != epoch
    assert spool.dropped == Dropped(alarm=1)  # it carried a number of the old epoch
    spool.put("alarm", _body(b"new"))
    assert spool.flush() == 1
    spool.close()


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError):
        Spool(tmp_path / "file" / "spool.db")


@pytest.mark.component
def test_nothing_flushed_is_lost_over_kill_9(tmp_path: Path) -> None:
    """Ten writers, each killed at a point of chance; all that they said was flushed is there."""
    path = tmp_path / "spool.db"
    draw = random.Random(0)
    for _ in range(10):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        said = [int(writer.stdout.readline())]
        killer = threading.Timer(draw.uniform(0, 0.1), os.kill, (writer.pid, signal.SIGKILL))
        killer.start()
        said += [int(line) for line in writer.stdout if line.endswith(b"\n")]
        writer.wait()
        writer.stdout.close()
        spool = Spool(path)
        assert spool.note == ""
        kept = {entry.sequence: entry.body for entry in spool.batch(10**9)}
        assert set(range(1, said[-1] + 1)) <= kept.keys()
        assert all(body == b"%d " % number * 50 for number, body in kept.items())
        spool.close()
