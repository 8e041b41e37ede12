"""How long attempts take: all of them in turns on this machine, or one by one on a device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from edge_runtime.bench import Subject
from edge_runtime.bench.levels import LevelFile, default_file
from edge_runtime.contract import BenchResult
from edgefactory.compress.bench import DeviceBench, measure_here
from edgefactory.compress.choosing.executable import Executable
from edgefactory.datasets import Progress
from edgefactory.datasets.errors import EdgefactoryError, InputError
from edgefactory.datasets.files import write_file

Outcome = BenchResult | EdgefactoryError


class Stopwatch(Protocol):
    """Measures models on one box."""

    @property
    def where(self) -> str:
        """Which box: its address, or "here"."""

    def measure(self, models: Sequence[Executable], progress: Progress) -> list[Outcome]:
        """The latency of each, or why it has none, in their order."""


@dataclass(frozen=True)
class Here:
    """This machine: models take turns, so that what disturbs one disturbs all."""

    threads: int = 1
    seconds: float = 3.0
    levels: LevelFile = field(default_factory=lambda: LevelFile(default_file()))
    where: str = "here"

    def measure(self, models: Sequence[Executable], progress: Progress) -> list[Outcome]:
        """See `Stopwatch`."""
        with TemporaryDirectory() as scratch:
            subjects = []
            for number, model in enumerate(models):
                folder = Path(scratch) / str(number)
                for name, content in model.files.items():
                    write_file(folder / name, content)
                files = {name: folder / name for name in model.files}
                subjects.append(Subject(files, model.main, model.engine, model.precision))
            return measure_here(subjects, self.threads, self.seconds, self.levels, progress)


@dataclass(frozen=True)
class There:
    """A device, which takes ONNX files alone."""

    device: DeviceBench
    threads: int = 1

    @property
    def where(self) -> str:
        """See `Stopwatch`."""
        return self.device.where

    def measure(self, models: Sequence[Executable], progress: Progress) -> list[Outcome]:
        """See `Stopwatch`."""
        found: list[Outcome] = []
        for number, model in enumerate(models):
            progress(number, len(models), f"measuring at {self.where}")
            if len(model.files) > 1:
                found.append(InputError("OpenVINO's own files; a device is sent ONNX"))
                continue
            try:
                content = model.files[model.main]
                found.append(
                    self.device.measure(content, model.engine, model.precision, self.threads)
                )
            except InputError as error:
                found.append(error)
        return found
