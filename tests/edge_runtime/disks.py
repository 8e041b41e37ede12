"""A disk that can be cut off: what is changed is counted and written down, and a model says what a
power cut leaves of it.

The model is harsher than any one file system: bytes without fsync may be whole, torn, zeroed or
gone; an entry of a folder (new, renamed, removed) without the folder's fsync may be there or not,
each for itself, also the two halves of one rename; a folder whose own entry is gone takes with it
what it held.
"""

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Loss = Literal["kept", "lost", "torn", "zeroed", "mixed"]
LOSSES: tuple[Loss, ...] = ("kept", "lost", "torn", "zeroed", "mixed")
UNSEEN = {"lock"}  # holds no state


@dataclass
class File:
    """A file's bytes as programs see them, and as they are on the disk."""

    data: bytes = b""
    synced: bytes = b""


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    target: str


Entry = File | Link | None  # None: a folder


@dataclass
class Model:
    """Every path as programs see it (`seen`) and as the disk would know it after a cut (`known`);
    `pending` are changes of folders that were not synced, in order."""

    seen: dict[Path, Entry] = field(default_factory=dict)
    known: dict[Path, Entry] = field(default_factory=dict)
    pending: list[tuple[Path, Entry, bool]] = field(default_factory=list)
    opened: dict[int, tuple[Path, Entry]] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path) -> "Model":
        """What lies in `folder`, all of it durable."""
        model = cls()
        for path in sorted(folder.rglob("*")):
            place = path.relative_to(folder)
            if place.name in UNSEEN:
                continue
            if path.is_symlink():
                entry: Entry = Link(str(path.readlink()))
            elif path.is_dir():
                entry = None
            else:
                entry = File(path.read_bytes(), path.read_bytes())
            model.seen[place] = model.known[place] = entry
        return model

    def apply(self, name: str, *args: Any) -> None:
        """Follow one operation."""
        getattr(self, f"_{name}")(*args)

    def after(self, loss: Loss, seed: int = 0) -> "Model":
        """The disk after a power cut that loses unsynced changes in the way of `loss`."""
        rng = random.Random(seed)
        entries = dict(self.known)
        for place, entry, there in self.pending:
            if loss == "lost" or (loss == "mixed" and rng.random() < 0.5):
                continue
            if there:
                entries[place] = entry
            else:
                entries.pop(place, None)
        copied: dict[int, File] = {}
        left = Model()
        for place, entry in sorted(entries.items()):
            if place.parent != Path() and place.parent not in left.seen:
                continue
            if isinstance(entry, File):
                if id(entry) not in copied:
                    data = _left(entry, loss, rng)
                    # A killed process leaves its unsynced bytes to the next one, and to its cut.
                    copied[id(entry)] = File(data, entry.synced if loss == "kept" else data)
                left.seen[place] = copied[id(entry)]
            else:
                left.seen[place] = entry
        if loss != "kept":
            left.known = dict(left.seen)
            return left
        again = {id(old): copied[key] for key, old in _files(self).items() if key in copied}

        def same(entry: Entry) -> Entry:
            return again.get(id(entry), entry) if isinstance(entry, File) else entry

        left.known = {place: same(entry) for place, entry in self.known.items()}
        left.pending = [(place, same(entry), there) for place, entry, there in self.pending]
        return left

    def write_to(self, folder: Path) -> None:
        """Put the files as programs see them into the empty `folder`."""
        for place, entry in sorted(self.seen.items()):
            path = folder / place
            if entry is None:
                path.mkdir()
            elif isinstance(entry, Link):
                path.symlink_to(entry.target)
            else:
                path.write_bytes(entry.data)
                path.chmod(0o600)  # as the device key must be

    def differs(self, folder: Path) -> list[Path]:
        """Where `folder` is not as this model sees it: something went past the counted disk."""
        there = Model.of(folder)
        return [
            place
            for place in sorted(self.seen.keys() | there.seen.keys())
            if _bytes(self.seen, place) != _bytes(there.seen, place)
        ]

    def _open(self, number: int, place: Path, flags: int) -> None:
        entry = self.seen.get(place)
        if flags & os.O_CREAT and place not in self.seen:
            entry = self.seen[place] = File()
            self.pending.append((place, entry, True))
        if flags & os.O_TRUNC and isinstance(entry, File):
            entry.data = b""
        self.opened[number] = (place, entry)

    def _write(self, number: int, data: bytes) -> None:
        _, entry = self.opened[number]
        assert isinstance(entry, File)
        entry.data += data  # nothing here writes but at the end

    def _fsync(self, number: int) -> None:
        place, entry = self.opened[number]
        if isinstance(entry, File):
            entry.synced = entry.data
            return
        for changed, new, there in self.pending:
            if changed.parent == place:
                if there:
                    self.known[changed] = new
                else:
                    self.known.pop(changed, None)
        self.pending = [change for change in self.pending if change[0].parent != place]

    def _replace(self, source: Path, target: Path) -> None:
        entry = self.seen.pop(source)
        self.seen[target] = entry
        self.pending += [(target, entry, True), (source, None, False)]

    def _unlink(self, place: Path) -> None:
        del self.seen[place]
        self.pending.append((place, None, False))

    def _mkdir(self, place: Path) -> None:
        self.seen[place] = None
        self.pending.append((place, None, True))

    def _symlink(self, target: str, place: Path) -> None:
        self.seen[place] = Link(target)
        self.pending.append((place, self.seen[place], True))


def _files(model: Model) -> dict[int, File]:
    entries = [*model.seen.values(), *model.known.values(), *(e for _, e, _ in model.pending)]
    return {id(entry): entry for entry in entries if isinstance(entry, File)}


def _bytes(entries: dict[Path, Entry], place: Path) -> object:
    entry = entries.get(place, "nothing")
    return entry.data if isinstance(entry, File) else entry


def _left(file: File, loss: Loss, rng: random.Random) -> bytes:
    if loss == "kept" or file.data == file.synced:
        return file.data
    if loss == "lost":
        return file.synced
    start = len(file.synced) if file.data.startswith(file.synced) else 0
    torn = file.data[: start + (len(file.data) - start) // 2]
    zeroed = file.data[:start] + bytes(len(file.data) - start)
    if loss == "mixed":
        return rng.choice([file.data, file.synced, torn, zeroed])
    return torn if loss == "torn" else zeroed


Fault = Callable[[int, str], None]


def never(number: int, name: str) -> None:
    """The fault of a disk that works."""


class CountedDisk:
    """`os` under `folder`, with every change written to `log` and counted; `fault` is asked
    before each, with its number (from 1) and name, and may raise."""

    def __init__(self, folder: Path, fault: Fault = never) -> None:
        self._folder, self._fault = folder, fault
        self._numbers: dict[int, int] = {}
        self.log: list[tuple[Any, ...]] = []
        self.count = 0

    def _asked(self, name: str) -> None:
        self.count += 1
        self._fault(self.count, name)

    def _at(self, path: Path | str) -> Path:
        return Path(path).relative_to(self._folder)

    def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        self._asked("open")
        fd = os.open(path, flags, mode)
        self._numbers[fd] = self.count
        self.log.append(("open", self.count, self._at(path), flags))
        return fd

    def write(self, fd: int, data: bytes | memoryview, /) -> int:
        self._asked("write")
        size = os.write(fd, data)
        self.log.append(("write", self._numbers[fd], bytes(data[:size])))
        return size

    def fsync(self, fd: int) -> None:
        self._asked("fsync")
        self.log.append(("fsync", self._numbers[fd]))

    def close(self, fd: int) -> None:
        os.close(fd)

    def replace(self, src: Path, dst: Path) -> None:
        self._asked("replace")
        Path(src).replace(dst)
        self.log.append(("replace", self._at(src), self._at(dst)))

    def unlink(self, path: Path) -> None:
        self._asked("unlink")
        Path(path).unlink()
        self.log.append(("unlink", self._at(path)))

    def mkdir(self, path: Path, mode: int = 0o777) -> None:
        self._asked("mkdir")
        Path(path).mkdir(mode)
        self.log.append(("mkdir", self._at(path)))

    def symlink(self, target: str, path: Path) -> None:
        self._asked("symlink")
        Path(path).symlink_to(target)
        self.log.append(("symlink", target, self._at(path)))
