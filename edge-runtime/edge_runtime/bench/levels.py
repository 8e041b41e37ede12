"""The level of the reference on this box, remembered: a box that is busy all the time a model is
measured looks quiet to one who has never seen it quiet."""

import contextlib
import os
import time
from pathlib import Path

import msgspec
from msgspec import Struct

from edge_runtime import durable
from edge_runtime.contract import Host, digest
from edge_runtime.errors import EdgeRuntimeError, StorageError
from edge_runtime.machine import host

FRESH_S = 7 * 24 * 3600.0  # a box changes: its firmware, its cooling, its hypervisor
MAX_BYTES = 2**16


class Level(Struct, frozen=True, forbid_unknown_fields=True):
    """The least that the reference took, and when (seconds since 1970)."""

    ms: float
    seen: float


class _Document(Struct, frozen=True, forbid_unknown_fields=True):
    """Levels by number of threads, of the machine whose identity is `box`."""

    box: str
    levels: dict[int, Level] = {}


def default_file() -> Path:
    """Where levels are remembered for the user."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "edge-runtime" / "level.json"


class LevelFile:
    """Levels in the file at `path`, which may be lost at any time without harm."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._box = identity(host())

    def known(self, threads: int) -> float | None:
        """The level on `threads` threads in milliseconds; None when it is not known, or stale."""
        level = self._read().levels.get(threads)
        return level.ms if level and 0 <= time.time() - level.seen <= FRESH_S else None

    def learn(self, threads: int, ms: float) -> None:
        """Remember `ms` if it is lower than what is known, where that can be written."""
        known = self.known(threads)
        if known is not None and known <= ms:
            return
        levels = {**self._read().levels, threads: Level(ms, time.time())}
        with contextlib.suppress(StorageError):
            durable.make_folder(self._path.parent)
            durable.write(self._path, msgspec.json.encode(_Document(self._box, levels)))

    def _read(self) -> _Document:
        try:
            data = durable.read(self._path, MAX_BYTES, "levels of the benchmark's reference")
            found = msgspec.json.decode(data, type=_Document)
        except (EdgeRuntimeError, msgspec.DecodeError, UnicodeDecodeError):
            return _Document(self._box)
        return found if found.box == self._box else _Document(self._box)


def identity(machine: Host) -> str:
    """A digest of what makes two boxes equally fast, as far as they tell: processor and system."""
    known = (machine.cpu, machine.flags, machine.cores, machine.system)
    return digest(msgspec.json.encode(known))
