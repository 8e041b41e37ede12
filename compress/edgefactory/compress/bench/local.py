"""Measures on this machine, by the runtime's own benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import edge_runtime.errors
import edge_runtime.machine
from edge_runtime.bench import Plan, Subject, measure
from edge_runtime.bench.levels import LevelFile, default_file
from edge_runtime.contract import BenchResult, Engine, Host, Precision
from edgefactory.datasets import Progress
from edgefactory.datasets.errors import EdgefactoryError, InputError, MissingError
from edgefactory.datasets.files import storage_errors

HERE: Final = "here"
_MODEL: Final = "model.onnx"


@dataclass(frozen=True)
class LocalBench:
    """A `Bench` of this machine; a measurement takes at most `seconds`, and loading the model.

    `levels` remembers how fast this machine is when nothing disturbs it.
    """

    seconds: float = 3.0
    levels: LevelFile = field(default_factory=lambda: LevelFile(default_file()))

    @property
    def where(self) -> str:
        """See `Bench`."""
        return HERE

    def host(self) -> Host:
        """See `Bench`."""
        return edge_runtime.machine.host()

    def measure(
        self, model: bytes, engine: Engine, precision: Precision, threads: int
    ) -> BenchResult:
        """See `Bench`."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / _MODEL
            with storage_errors(path):
                path.write_bytes(model)
            subject = Subject({_MODEL: path}, _MODEL, engine, precision)
            (found,) = measure_here([subject], threads, self.seconds, self.levels, _silent)
        if isinstance(found, EdgefactoryError):
            raise found
        return found


def measure_here(
    subjects: Sequence[Subject],
    threads: int,
    seconds: float,
    levels: LevelFile,
    progress: Progress,
) -> list[BenchResult | EdgefactoryError]:
    """The latency of each subject on this machine, or why it has none; they take turns."""
    plan = Plan(threads, seconds, level_ms=levels.known(threads))
    found = [
        outcome if isinstance(outcome, BenchResult) else _ours(outcome)
        for outcome in measure(subjects, plan, progress)
    ]
    for outcome in found:
        if isinstance(outcome, BenchResult):
            levels.learn(threads, outcome.reference_ms)
    return found


def _ours(error: edge_runtime.errors.EdgeRuntimeError) -> EdgefactoryError:
    missing = isinstance(error, edge_runtime.errors.MissingError)
    return MissingError(str(error)) if missing else InputError(str(error))


def _silent(_done: int, _total: int, _what: str) -> None:
    """No progress."""
