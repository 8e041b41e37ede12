"""What a run of the line came to, as a document: `summary.json` (`docs/formats/summary.md`)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from msgspec import Struct

from edge_runtime.contract import Host, Task, read

Interval = tuple[float, float]


class Figures(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What was measured on one model file. Times are milliseconds for one picture.

    `ap50` stands for detection, `accuracy` for classification, both in 0..1; `interval` is the
    95% confidence interval of whichever stands. `latency_ms` is the median of the engine call
    alone (for a tiled teacher all of its passes); `frame_ms` adds what goes before and after.
    `macs` are multiply-accumulates a picture. A ratio says how many times less time than the
    teacher: on the same engine and threads against its f32 form (`time_ratio`), against its own
    best precision (`time_ratio_best`), and for the whole frame (`time_ratio_frame`).
    """

    engine: str
    precision: str
    sha256: str
    bytes: int
    ap50: float | None = None
    accuracy: float | None = None
    interval: Interval | None = None
    n: int | None = None
    minus_teacher: float | None = None
    minus_teacher_interval: Interval | None = None
    minus_fp32: float | None = None
    minus_fp32_interval: Interval | None = None
    latency_ms: float | None = None
    latency_p99_ms: float | None = None
    frame_ms: float | None = None
    macs: int | None = None
    time_ratio: float | None = None
    time_ratio_best: float | None = None
    time_ratio_frame: float | None = None
    threads: int | None = None

    @property
    def quality(self) -> float | None:
        """AP50 or accuracy, whichever was measured."""
        return self.ap50 if self.ap50 is not None else self.accuracy


class GateResult(Struct, frozen=True, forbid_unknown_fields=True):
    """What the gate said: how many rules it put, and the reasons of those that failed."""

    passed: bool
    rules: int
    failed: tuple[str, ...]


class EdgeResult(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the branch did. `release` is the digest of the release that it verified and ran.

    Detection: `people_counted` crossings of the line against `true_count` that were annotated.
    Classification: `vouchers_right` of `vouchers_read`, of `vouchers` that were there.
    """

    site: str
    release: str
    release_name: str
    release_version: str
    variant: str
    engine: str
    engine_version: str
    self_test: str
    frames: int
    infer_ms: float
    infer_p99_ms: float
    frame_ms: float
    people_counted: int | None = None
    true_count: int | None = None
    counted: dict[str, int] = {}
    true: dict[str, int] = {}
    vouchers: int | None = None
    vouchers_read: int | None = None
    vouchers_right: int | None = None


class Summary(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The whole run in figures.

    `truth` says whose labels the held-out pictures were judged by: "human" is an annotation
    made independently of the teacher, and its truth file says by whom and how. `headline` is the
    variant that the branch ran, or that it would run; `time_ratio` is that variant's. `skipped`
    maps variants that were not made to the reason. `seconds` maps stages to wall time of their
    last real run.
    """

    schema: Literal["summary/1"]
    name: str
    task: Task
    truth: Literal["human", "teacher", "imported"]
    pictures: int
    specialist: dict[str, Figures]
    headline: str
    host: Host
    teacher: Figures | None = None
    time_ratio: float | None = None
    skipped: dict[str, str] = {}
    gate: GateResult | None = None
    edge: EdgeResult | None = None
    seconds: dict[str, float] = {}

    @property
    def best(self) -> Figures:
        """The headline variant's figures."""
        return self.specialist[self.headline]


def read_summary(path: Path) -> Summary:
    """The document at `path`. Raises MissingError or ContractError of `edge_runtime.errors`."""
    return read(path, Summary)
