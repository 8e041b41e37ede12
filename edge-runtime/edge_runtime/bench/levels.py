"""The level of the reference on this box, remembered: a box that is busy all the time a model is
measured looks undisturbed to one who has never seen it so."""

import contextlib
import os
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from edge_runtime import durable
from edge_runtime.bench.settling import QUIET
from edge_runtime.contract import Host, digest
from edge_runtime.errors import EdgeRuntimeError, StorageError
from edge_runtime.machine import host

KEPT = 25  # runs, for each number of threads
FRESH_S = 7 * 24 * 3600.0  # a box changes: its firmware, its cooling, its hypervisor
MAX_BYTES = 2**16


class Seen(Struct, frozen=True, forbid_unknown_fields=True):
    """What the reference took in one run, where it counted, and when (seconds since 1970)."""

    ms: float
    at: float


class _Document(Struct, frozen=True, forbid_unknown_fields=True):
    """Runs by number of threads, of the machine whose identity is `box`."""

    box: str
    seen: dict[int, tuple[Seen, ...]] = {}


def usual(seen: Sequence[float]) -> float | None:
    """The level that several runs speak for: the median of those that were not disturbed."""
    if not seen:
        return None
    return float(np.median([ms for ms in seen if ms <= QUIET * min(seen)]))


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
        """The level on `threads` threads in milliseconds; None when it is not known."""
        return usual([seen.ms for seen in self._read().get(threads, ())])

    def learn(self, threads: int, ms: float) -> None:
        """Remember what the reference took in one more run, where that can be written."""
        runs = self._read()
        runs[threads] = (*runs.get(threads, ()), Seen(ms, time.time()))[-KEPT:]
        with contextlib.suppress(StorageError):
            durable.make_folder(self._path.parent)
            durable.write(self._path, msgspec.json.encode(_Document(self._box, runs)))

    def _read(self) -> dict[int, tuple[Seen, ...]]:
        """The runs that still count."""
        try:
            data = durable.read(self._path, MAX_BYTES, "levels of the benchmark's reference")
            found = msgspec.json.decode(data, type=_Document)
        except (EdgeRuntimeError, msgspec.DecodeError, UnicodeDecodeError):
            return {}
        if found.box != self._box:
            return {}
        now = time.time()
        return {
            threads: tuple(run for run in runs if 0 <= now - run.at <= FRESH_S)
            for threads, runs in found.seen.items()
        }


def identity(machine: Host) -> str:
    """A digest of what makes two boxes equally fast, as far as they tell: processor and system."""
    known = (machine.cpu, machine.flags, machine.cores, machine.system)
    return digest(msgspec.json.encode(known))
