"""What measures a model's latency, wherever it does so."""

from __future__ import annotations

from typing import Protocol

from edge_runtime.contract import BenchResult, Engine, Host, Precision


class Bench(Protocol):
    """Measures models on one box."""

    @property
    def where(self) -> str:
        """Which box: its address, or "here"."""

    def host(self) -> Host:
        """What the box is; `versions` has those of its engines. Errors as `measure`."""

    def measure(
        self, model: bytes, engine: Engine, precision: Precision, threads: int
    ) -> BenchResult:
        """The latency of the ONNX file `model`; whether it settled is in the result.

        Raises InputError when the box cannot measure this model so, MissingError when the engine
        or the box is not to be had.
        """
