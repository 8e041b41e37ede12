"""`parity.json`: whether two models decide the same, and where they part, as the file has it.

docs/formats/parity.md says what each key means; a test holds it to these structs.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from edge_runtime.contract import Task
from edgefactory.training.evaluation import Model

Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Count = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Box = tuple[float, float, float, float]
Verdict = Literal["equivalent", "not-equivalent", "cannot-tell"]
Stage = Literal["pre-processing", "onnx", "openvino", "quantized", "post-processing"]
Change = Literal["missing", "extra", "flipped", "moved"]
Kind = Literal[
    "colours",
    "layout",
    "mirrored",
    "resize",
    "shift",
    "normalisation",
    "mean",
    "placement",
    "inputs",
    "weights",
    "constant",
    "operator",
    "structure",
    "integers",
    "calibration",
    "rounding",
    "labels",
    "suppression",
    "threshold",
    "decoding",
    "unknown",
]


class Decided(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One decision: the class's name, how sure, and where. `change` is what the two differ in."""

    label: str
    score: float
    box: Box | None = None
    change: Change | None = None


class Departure(Struct, frozen=True, forbid_unknown_fields=True):
    """A picture on which the two decide differently. `weight` orders them, the worst first."""

    item: Sha256
    changes: dict[Change, Count]
    weight: float
    reference: tuple[Decided, ...]
    other: tuple[Decided, ...]


class Counts(Struct, frozen=True, forbid_unknown_fields=True):
    """Decisions in pairs over all pictures."""

    pictures: Count
    reference: Count
    other: Count
    matched: Count
    missing: Count
    extra: Count
    flipped: Count
    moved: Count
    pictures_changed: Count


class Tested(Struct, frozen=True, forbid_unknown_fields=True):
    """A figure, its 90% interval (so each side has 5%), the margin, and what follows from it."""

    value: float
    interval: tuple[float, float]
    margin: float
    verdict: Verdict


class Metric(Struct, frozen=True, forbid_unknown_fields=True):
    """Reference less other against the labels of `pictures`, with the 95% interval, in pairs."""

    name: Literal["ap50", "accuracy"]
    reference: float
    other: float
    difference: float
    interval: tuple[float, float]
    pictures: Count
    labels: str


class Layer(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How near a layer's output is to the form before, in decibels of signal over error; `normal`
    is what quantization makes of it at this place."""

    name: str
    op: str
    snr: float
    normal: float | None = None


class Step(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One stage of the chain against the one before it, both given the same input."""

    stage: Stage
    what: str
    departs: bool
    changed: Count
    decisions: Count
    layers: tuple[Layer, ...] = ()


class Found(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The first stage that departs, and there the first layer. `fault` False: it is no more than
    this stage normally costs."""

    stage: Stage
    kind: Kind
    says: str
    fault: bool = True
    layer: str | None = None
    op: str | None = None


class Bisection(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The chain, stage by stage, on so many pictures. Without `found` nothing could be named."""

    pictures: Count
    steps: tuple[Step, ...]
    found: Found | None = None
    why: str = ""


class Parity(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What `edgefactory parity` found."""

    schema: Literal["parity/1"]
    task: Task
    reference: Model
    other: Model
    snapshot_sha256: Sha256
    snapshot: str
    split: Literal["train", "val", "test", "all"]
    verdict: Verdict
    counts: Counts
    changed: Tested
    departures: tuple[Departure, ...]
    score_threshold: float | None = None
    moved_score: Tested | None = None
    mean_iou: float | None = None
    pictures_needed: int | None = None
    metric: Metric | None = None
    bisection: Bisection | None = None
