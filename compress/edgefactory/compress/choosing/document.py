"""`compression.json`: all that was tried to make a model faster, and what was chosen.

docs/formats/compression.md says what each key means; a test holds it to these structs.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from edge_runtime.contract import BenchResult, Engine, FileRef, Precision
from edgefactory.compress.mixed import Drop
from edgefactory.training.tuning.budgets import Budget

Made = Literal["export", "ptq", "mixed"]


class Attempt(Struct, frozen=True, forbid_unknown_fields=True):
    """One network in one form: what it loses, what it takes.

    `network` says which one: "trained", or what it became ("qat", "relu",
    "pruned-0.60"). `made` says how its numbers came about, `float_layers` which layers stay in
    float where it is mixed. `drops` are on the val split, against the FP32 ONNX model that the
    checkpoint exports to. Where there is no file, or no `bench`, `why` says why.
    """

    network: str
    form: str
    engine: Engine
    precision: Precision
    made: Made
    macs: int
    main: str = ""
    files: dict[str, FileRef] = {}
    float_layers: tuple[str, ...] = ()
    validations: int = 0
    drops: tuple[Drop, ...] = ()
    bench: BenchResult | None = None
    why: str = ""

    @property
    def name(self) -> str:
        """As "trained/openvino-int8"."""
        return f"{self.network}/{self.form}"

    @property
    def kept(self) -> bool:
        """Whether there is a file, and it keeps every margin."""
        return bool(self.files) and all(drop.excess <= 1 for drop in self.drops)

    @property
    def bytes(self) -> int:
        """Of all its files."""
        return sum(ref.bytes for ref in self.files.values())

    @property
    def drop(self) -> float | None:
        """What it loses over all pictures, in points of the metric."""
        return next((drop.value for drop in self.drops if drop.by == "all"), None)


class Certified(Struct, frozen=True, forbid_unknown_fields=True):
    """What an attempt is worth on the test split, which had no part in choosing it.

    `difference` is its metric less the reference's on the same `n` pictures, with the paired
    bootstrap's 95% `interval`. It is not inferior when the whole interval lies above -margin.
    """

    name: str
    value: float
    difference: float
    interval: tuple[float, float]
    n: int
    margin: float

    @property
    def non_inferior(self) -> bool:
        """Whether less than the margin is lost, with 97.5% confidence (one-sided)."""
        return self.interval[0] >= -self.margin


class Compression(Struct, frozen=True, forbid_unknown_fields=True):
    """A whole compression.

    `reference` is the attempt that all are compared with, `reference_value` its metric on val.
    `front` are the attempts that keep the margins and that none beats in both latency and drop.
    `chosen` is the fastest that keeps margins and budgets; "" with the reason in `why` where none
    does. `skipped` are methods that could not be tried, with the reason. `measured_at` is the box
    by its address, or "here"; `peak_gflops` the highest rate of f32 matrix products seen there, for
    the floor.
    """

    schema: Literal["compression/1"]
    checkpoint_sha256: str
    snapshot_sha256: str
    labels: Literal["human", "imported", "teacher"]
    metric: str
    pictures: int
    reference: str
    reference_value: float
    margin: float
    budgets: tuple[Budget, ...]
    attempts: tuple[Attempt, ...]
    front: tuple[str, ...]
    chosen: str
    why: str
    certified: tuple[Certified, ...]
    skipped: dict[str, str]
    measured_at: str
    peak_gflops: float

    def attempt(self, name: str) -> Attempt:
        """The attempt called `name`; KeyError if there is none."""
        for attempt in self.attempts:
            if attempt.name == name:
                return attempt
        raise KeyError(name)

    def floor_ms(self, attempt: Attempt) -> float:
        """Milliseconds of the attempt's multiply-accumulates alone, at f32's peak rate."""
        return 2 * attempt.macs / self.peak_gflops / 1e6 if self.peak_gflops else 0.0
