"""What was measured is not measured again: results in a file that many processes may share."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from msgspec import Struct

from edge_runtime.bench.levels import identity
from edge_runtime.bench.settling import QUIET
from edge_runtime.contract import BenchResult, Engine, Host, Precision, digest
from edgefactory.compress.bench.protocol import Bench
from edgefactory.datasets.files import user_folder
from edgefactory.datasets.journal import Journal

_Key = tuple[str, str, str, str, int, str, str]


class Measured(Struct, frozen=True, forbid_unknown_fields=True):
    """A line of the file: a result, and the box by its `Bench.where`."""

    where: str
    result: BenchResult


def default_cache() -> Path:
    """The user's own file of results."""
    return user_folder("XDG_CACHE_HOME", ".cache") / "bench.jsonl"


@dataclass
class CachedBench:
    """A `Bench` that asks `bench` only for what the file at `path` does not say.

    A result is that of a model's digest on an engine of one version, at a precision, on so many
    threads of one kind of box at one place. Only what settled is kept. A box that was busy whenever
    it was measured at first is found out later, by a lower level of its reference; what was
    measured before then no longer counts.
    """

    bench: Bench
    path: Path = field(default_factory=default_cache)

    def __post_init__(self) -> None:
        self._journal = Journal(self.path, Measured)
        self._known: dict[_Key, Measured] = {}
        self._levels: dict[tuple[str, str, int], float] = {}

    @property
    def where(self) -> str:
        """See `Bench`."""
        return self.bench.where

    def host(self) -> Host:
        """See `Bench`; asked once."""
        return self._host

    def measure(
        self, model: bytes, engine: Engine, precision: Precision, threads: int
    ) -> BenchResult:
        """See `Bench`."""
        version = self._host.versions.get(engine, "")
        box = identity(self._host)
        key = (digest(model), engine, version, precision, threads, box, self.where)
        found = self._find(key)
        if found is None:
            self._read()  # another process may have measured it since
            found = self._find(key)
        if found is None:
            found = self.bench.measure(model, engine, precision, threads)
            if found.settled:
                self._journal.append([Measured(self.where, found)])
                self._learn(Measured(self.where, found))
        return found

    def _find(self, key: _Key) -> BenchResult | None:
        entry = self._known.get(key)
        if entry is None:
            return None
        level = self._levels[_stand(entry)]
        return entry.result if entry.result.level_ms <= QUIET * level else None

    def _read(self) -> None:
        for entry in self._journal.read():
            self._learn(entry)

    def _learn(self, entry: Measured) -> None:
        result, stand = entry.result, _stand(entry)
        self._known[
            result.file_sha256,
            result.engine,
            result.engine_version,
            result.precision,
            result.threads,
            identity(result.host),
            entry.where,
        ] = entry
        level = self._levels.get(stand, result.level_ms)
        self._levels[stand] = min(level, result.level_ms)

    @cached_property
    def _host(self) -> Host:
        return self.bench.host()


def _stand(entry: Measured) -> tuple[str, str, int]:
    """Where figures can be compared: one box, as many threads."""
    return entry.where, identity(entry.result.host), entry.result.threads
