"""How long a model takes on one engine of one box, and how far that figure can be trusted."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from edge_runtime.contract.release import Count, Engine, Host, Precision, Sha256, Share

Positive = Annotated[float, Meta(gt=0.0)]
Ratio = Annotated[float, Meta(ge=0.0)]


class BenchResult(Struct, frozen=True, forbid_unknown_fields=True):
    """One model's latency: a call of the engine with one input, nothing before or after it.

    Times are milliseconds. `latency_ms` is by `clock`: processor time where one thread computes,
    since what else the box does adds to the time on the wall; with several threads the wall.
    It is the median over *quiet* blocks of calls, those around which a fixed piece of arithmetic
    (the reference) took about as long as at its level, scaled by what little it differed.
    `interval` is its 95% confidence interval, None when there were too few blocks for one.
    `settled` says that the figure would come out again; where it is false, `reason` says why.
    See `docs/formats/bench.md`.
    """

    schema: Literal["bench/1"]
    file_sha256: Sha256
    files_sha256: tuple[Sha256, ...]
    bytes: Count
    engine: Engine
    engine_version: str
    precision: Precision
    threads: Annotated[int, Meta(ge=1, le=256)]
    input: tuple[Annotated[int, Meta(ge=1)], ...]
    clock: Literal["processor", "wall"]
    latency_ms: Positive
    interval: tuple[Positive, Positive] | None
    latency_p99_ms: Positive
    spread: Ratio
    processor_ms: Ratio
    wall_ms: Positive
    settled: bool
    reason: str
    quiet: Share
    noise: Ratio
    reference_ms: Positive
    level_ms: Positive
    peak_gflops: Positive
    calls: Count
    blocks: Count
    seconds: Ratio
    load_ms: Ratio
    memory_bytes: Count
    seed: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    host: Host
