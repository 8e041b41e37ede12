"""What waits to be told: kept over kill and power cut, bounded, given up by class when full.

One SQLite file of a bounded size (its log takes half a megabyte besides), which one `Spool` in one
process writes. What `flush` has returned is on the disk
and stays there until it is acknowledged, or until the file's bound makes it give way: of the least
important class the oldest first, and how many is counted. Whoever is told may be told twice after
a crash; (epoch, sequence) names each entry once and for all, so that doubles can be dropped. An
entry that its receiver refuses can be set aside into a folder beside the file, and counts as
dropped. A damaged file is set aside too (one is kept), and a new epoch begins.
"""

import contextlib
import secrets
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from edge_runtime import durable
from edge_runtime.contract import Dropped
from edge_runtime.errors import InputError, StorageError

Class = Literal["alarm", "report", "detail"]
CLASSES: tuple[Class, ...] = get_args(Class)  # the most important first
LIMIT_BYTES = 16 * 1024 * 1024
MOST_WAITING = 1024  # entries in memory between two flushes
MOST_ASIDE = 64  # refused entries that are kept

_PAGE_BYTES = 4096
_SHARE = 0.45  # of the bound that entries may fill; the rest is lost within and between pages
_SCHEMA = """
CREATE TABLE entries (sequence INTEGER PRIMARY KEY, class INTEGER NOT NULL,
    cost INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX by_class ON entries (class, sequence);
CREATE TABLE marks (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Entry:
    """Something to tell."""

    sequence: int
    body: bytes


class Spool:
    """The spool at `path`. Raises StorageError when the disk is full, read-only or failing."""

    def __init__(self, path: Path, limit: int = LIMIT_BYTES) -> None:
        self._path, self._room = path, int(limit * _SHARE)
        self._lock = threading.RLock()
        self._waiting: list[tuple[int, Class, bytes]] = []
        self._epoch, self._last, self._bytes = "", 0, 0
        self._dropped: dict[Class, int] = {}
        self._damage = self._refusal = ""
        durable.make_folder(path.parent)
        self._begin()

    @property
    def epoch(self) -> str:
        """The file's own number, 16 hex digits: a new one for every new file."""
        return self._epoch

    @property
    def note(self) -> str:
        """What was wrong with the file, if it was begun anew, and with the last entry refused."""
        return "; ".join(filter(None, (self._damage, self._refusal)))

    @property
    def dropped(self) -> Dropped:
        """How many entries gave way unsent in this epoch."""
        with self._lock:
            return Dropped(**self._dropped)

    def put(self, kind: Class, make: Callable[[str, int], bytes]) -> None:
        """Keep what `make(epoch, sequence)` returns, from the next `flush` on."""
        with self._lock:
            self._last += 1
            body = make(self._epoch, self._last)
            if _cost(body) > self._room // 2:
                raise InputError(f"{len(body)} bytes are too much for a spool of this bound")
            self._waiting.append((self._last, kind, body))
            if len(self._waiting) > MOST_WAITING:
                worst = max(self._waiting, key=lambda entry: (CLASSES.index(entry[1]), -entry[0]))
                self._waiting.remove(worst)
                self._dropped[worst[1]] += 1

    def flush(self) -> int:
        """Write what waits in one step; the highest sequence that is on the disk thereafter.

        When it fails, everything waits on. Raises StorageError.
        """
        with self._lock:
            before = (self._epoch, dict(self._dropped), self._bytes)
            try:
                with self._storing():
                    self._write()
            except StorageError:
                if self._epoch == before[0]:
                    _, self._dropped, self._bytes = before
                raise
            self._waiting.clear()
            return self._last

    def batch(self, most_bytes: int, most: int = sys.maxsize) -> tuple[Entry, ...]:
        """What is to be told next, of at most so many bytes and entries but at least one: by class,
        then the oldest first. Empty when there is nothing."""
        with self._lock, self._storing():
            found: list[Entry] = []
            size = 0
            rows = self._db.execute("SELECT sequence, body FROM entries ORDER BY class, sequence")
            for sequence, body in rows:
                size += len(body)
                if found and (size > most_bytes or len(found) >= most):
                    break
                found.append(Entry(sequence, body))
            rows.close()
            return tuple(found)

    def acknowledge(self, entries: Sequence[Entry]) -> None:
        """Forget what has been told."""
        with self._lock, self._storing():
            with self._db:
                gone = [(entry.sequence,) for entry in entries]
                self._db.executemany("DELETE FROM entries WHERE sequence = ?", gone)
            self._bytes = self._count_bytes()

    def newest(self, besides: Entry) -> Entry | None:
        """The entry of the highest number, `besides` aside; None when there is no other."""
        with self._lock, self._storing():
            row = self._db.execute(
                "SELECT sequence, body FROM entries WHERE sequence <> ? "
                "ORDER BY sequence DESC LIMIT 1",
                (besides.sequence,),
            ).fetchone()
            return None if row is None else Entry(*row)

    def set_aside(self, entry: Entry, why: str) -> None:
        """Take what its receiver refuses out of what is to be told: into a folder beside the file,
        where the MOST_ASIDE newest stay. It counts as dropped, and `note` says `why`."""
        with self._lock, self._storing():
            found = self._db.execute(
                "SELECT class FROM entries WHERE sequence = ?", (entry.sequence,)
            ).fetchone()
            if found is None:  # it gave way meanwhile, and was counted
                return
            kind = CLASSES[found[0]]
            self._keep_aside(entry)
            dropped = {**self._dropped, kind: self._dropped[kind] + 1}
            with self._db:
                self._db.execute("DELETE FROM entries WHERE sequence = ?", (entry.sequence,))
                self._db.execute("UPDATE marks SET value = ? WHERE name = ?", (dropped[kind], kind))
            self._dropped = dropped
            self._bytes = self._count_bytes()
            self._refusal = f"{kind} {entry.sequence} was refused and set aside: {why}"

    def _keep_aside(self, entry: Entry) -> None:
        folder = self._path.with_name(f"{self._path.stem}.refused")
        durable.make_folder(folder)
        durable.write(folder / f"{self._epoch}-{entry.sequence:012d}.json", entry.body)
        with durable.storage(folder):
            kept = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        for path in kept[:-MOST_ASIDE]:
            durable.remove(path)

    def close(self) -> None:
        """Close the file. What was put and not flushed is lost."""
        with self._lock:
            self._db.close()

    def _begin(self) -> None:
        try:
            self._open()
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise StorageError(f"{self._path}: {error}") from error
            self._begin_anew(str(error))

    def _begin_anew(self, why: str) -> None:
        with contextlib.suppress(sqlite3.Error, AttributeError):
            self._db.close()
        aside = self._path.with_name(f"{self._path.name}.damaged")
        with durable.storage(self._path):
            for suffix in ("-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            self._path.replace(aside)
        durable.sync_folder(self._path.parent)
        self._damage = f"the spool was damaged ({why}); set aside as {aside.name}, begun anew"
        try:
            self._open()
        except sqlite3.DatabaseError as error:
            raise StorageError(f"{self._path}: {error}") from error
        for _, kind, _ in self._waiting:  # they carry numbers of the epoch that is over
            self._dropped[kind] += 1
        self._waiting.clear()

    def _open(self) -> None:
        db = self._db = sqlite3.connect(self._path, timeout=5, check_same_thread=False)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")  # a power cut, too
        db.execute("PRAGMA journal_size_limit = 65536")
        db.execute("PRAGMA wal_autocheckpoint = 64")
        if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            with db:
                for statement in _SCHEMA.split(";"):
                    db.execute(statement)
                begun = [("epoch", secrets.token_hex(8)), ("last", 0)]
                begun += [(kind, 0) for kind in CLASSES]
                db.executemany("INSERT INTO marks VALUES (?, ?)", begun)
        (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
        marks = dict(db.execute("SELECT name, value FROM marks"))
        if found != "ok" or not {"epoch", "last", *CLASSES} <= marks.keys():
            raise sqlite3.DatabaseError(f"malformed: {found}")
        self._epoch = str(marks["epoch"])
        self._last = int(marks["last"])
        self._dropped = {kind: int(marks[kind]) for kind in CLASSES}
        self._bytes = self._count_bytes()

    def _count_bytes(self) -> int:
        return int(self._db.execute("SELECT coalesce(sum(cost), 0) FROM entries").fetchone()[0])

    def _write(self) -> None:
        with self._db:
            rows = [(n, CLASSES.index(kind), _cost(body), body) for n, kind, body in self._waiting]
            self._db.executemany("INSERT INTO entries VALUES (?, ?, ?, ?)", rows)
            self._bytes += sum(cost for _, _, cost, _ in rows)
            self._make_room()
            marks: list[tuple[str, int]] = [("last", self._last), *self._dropped.items()]
            self._db.executemany(
                "UPDATE marks SET value = ? WHERE name = ?", [(v, n) for n, v in marks]
            )

    def _make_room(self) -> None:
        if self._bytes <= self._room:
            return
        rows = self._db.execute(
            "SELECT sequence, class, cost FROM entries ORDER BY class DESC, sequence"
        )
        gone = []
        for sequence, kind, cost in rows:
            if self._bytes <= self._room:
                break
            gone.append((sequence,))
            self._bytes -= cost
            self._dropped[CLASSES[kind]] += 1
        rows.close()
        self._db.executemany("DELETE FROM entries WHERE sequence = ?", gone)

    @contextlib.contextmanager
    def _storing(self) -> Iterator[None]:
        """Within this context a damaged file is begun anew; either way the error is ours."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if _is_damage(error):
                self._begin_anew(str(error))
            raise StorageError(f"{self._path}: {error}") from error


def _cost(body: bytes) -> int:
    """The room that SQLite needs for an entry: a long one may leave the rest of a page empty."""
    size = len(body) + 64
    return size if size < _PAGE_BYTES // 4 else -(-size // _PAGE_BYTES) * _PAGE_BYTES


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether the file itself is wrong, not the disk or who holds it."""
    code = getattr(error, "sqlite_errorcode", None)
    damaged = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    return str(error).startswith("malformed") if code is None else code & 0xFF in damaged
