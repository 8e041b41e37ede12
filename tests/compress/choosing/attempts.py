"""Attempts whose figures are given."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from edge_runtime.contract import BenchResult, FileRef, read
from edgefactory.compress.choosing import Attempt
from edgefactory.compress.mixed import Drop

GOLDEN: Final = Path(__file__).parents[2] / "edge_runtime" / "fixtures" / "bench-1.json"
MARGIN: Final = 0.005


def attempt(
    name: str, ms: float | None, drop: float = 0.0, size: int = 1000, *, files: bool = True
) -> Attempt:
    """One that took `ms`, or could not be timed, and loses `drop`."""
    return Attempt(
        network="trained",
        form=name,
        engine="openvino",
        precision="int8",
        made="ptq",
        macs=10_000_000,
        main="model.onnx" if files else "",
        files={"model.onnx": FileRef(sha256="0" * 64, bytes=size)} if files else {},
        drops=(Drop("all", "all", drop, MARGIN, 100),),
        bench=None if ms is None else result(ms),
    )


def result(ms: float) -> BenchResult:
    """A benchmark's result of that latency."""
    return msgspec.structs.replace(read(GOLDEN, BenchResult), latency_ms=ms)
