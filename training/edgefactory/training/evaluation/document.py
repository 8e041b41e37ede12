"""`evaluation.json`: everything that an evaluation found, as values and as the file's format.

docs/formats/evaluation.md says what each key means; a test holds it to these structs.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from edge_runtime.contract import InputSpec, Task

Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Count = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Box = tuple[float, float, float, float]
Split = Literal["train", "val", "test"]
By = Literal["all", "class", "size", "source", "time"]
Form = Literal["checkpoint", "onnx", "openvino", "release", "variants", "teacher"]
Kind = Literal["missed", "false-alarm", "duplicate", "wrong-class", "poor-box", "confused"]


class Measure(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A figure from `n` things, with its 95% interval; where one of the two lacks, `why`."""

    n: Count
    value: float | None = None
    interval: tuple[float, float] | None = None
    why: str = ""


class Model(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The model as it was executed."""

    form: Form
    name: str
    task: Task
    classes: tuple[str, ...]
    files_sha256: dict[str, Sha256]
    engine: str
    engine_version: str
    precision: str
    threads: Count
    input: InputSpec | None = None
    variant: str | None = None


class Data(Struct, frozen=True, forbid_unknown_fields=True):
    """What it was judged on. `unlabelled` pictures of a classification were left out."""

    snapshot_sha256: Sha256
    name: str
    split: Split
    test_labels: Literal["human", "imported", "teacher"]
    pictures: Count
    unlabelled: Count


class Slice(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of the data with its figures; where it is too small for any, `why`."""

    by: By
    name: str
    pictures: Count
    figures: dict[str, Measure] = {}
    why: str = ""


class Point(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The score from which a detection counts. `chosen_on` None: the release brought it along."""

    score_threshold: Share
    chosen_by: str
    chosen_on: Split | None = None


class Curve(Struct, frozen=True, forbid_unknown_fields=True):
    """precision over recall, or roc: true over false accept rate. `at` is the operating point."""

    kind: Literal["precision-recall", "roc"]
    x: tuple[float, ...]
    y: tuple[float, ...]
    at: tuple[float, float] | None = None


class Bin(Struct, frozen=True, forbid_unknown_fields=True):
    """Decisions of about the same confidence, and the share of them that is right."""

    confidence: Share
    right: Measure


class Reliability(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """ECE over bins of equal mass; `chance` is what a perfectly calibrated model would show."""

    ece: Measure
    chance: float | None = None
    bins: tuple[Bin, ...] = ()


class Calibration(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Confidences before and after a temperature that was fitted on another split."""

    before: Reliability
    temperature: float | None = None
    fitted_on: Split | None = None
    after: Reliability | None = None
    why: str = ""


class Confusion(Struct, frozen=True, forbid_unknown_fields=True):
    """How often what is in a row was taken for what is in a column."""

    labels: tuple[str, ...]
    counts: tuple[tuple[Count, ...], ...]


class Mistake(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One error in the picture `item`: what is there (`truth`), and what was said (`found`)."""

    kind: Kind
    item: Sha256
    loss: float
    truth: str | None = None
    found: str | None = None
    score: float | None = None
    truth_box: Box | None = None
    found_box: Box | None = None
    iou: float | None = None
    other: Sha256 | None = None


class Evaluation(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`evaluation.json`."""

    schema: Literal["evaluation/1"]
    model: Model
    data: Data
    draws: Count
    seed: int
    zone: str
    slices: tuple[Slice, ...]
    unsliced: dict[str, str]
    mistakes: tuple[Mistake, ...]
    mistakes_of_kind: dict[Kind, Count]
    point: Point | None = None
    curve: Curve | None = None
    calibration: Calibration | None = None
    confusion: Confusion | None = None

    def overall(self) -> dict[str, Measure]:
        """The figures of all pictures."""
        return self.slices[0].figures
