"""Measures models, each in a process of its own, taking turns so that what disturbs hits all."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from edge_runtime.bench.child import Child
from edge_runtime.bench.messages import Block, Closed, Job, Opened
from edge_runtime.bench.reference import level_gflops
from edge_runtime.bench.settling import (
    ENOUGH_BLOCKS,
    GROWTH,
    Floats,
    Trace,
    Verdict,
    judge,
    level_of,
)
from edge_runtime.contract import BenchResult, Engine, Precision
from edge_runtime.errors import EdgeRuntimeError, InputError, MissingError

MAX_MODEL_BYTES = 2**30
BLOCK_S = 0.015  # long enough for the clocks, short enough to fall between two disturbances
MAX_CALLS = 500  # in a block
MAX_BLOCKS = 2000
WARM_CALLS = 5

Progress = Callable[[int, int, str], None]
Outcome = BenchResult | EdgeRuntimeError


@dataclass(frozen=True)
class Subject:
    """A model's files by the names that the engine expects, and what is to execute it.

    `precision` None takes int8 for a quantized graph, else f32.
    """

    files: Mapping[str, Path]
    main: str
    engine: Engine
    precision: Precision | None = None


@dataclass(frozen=True)
class Plan:
    """How to measure. A model that has not settled after `seconds` of calls is left there.

    `level_ms`: what the reference is known to take on this box, undisturbed, with so many threads.
    `load_s`, `answer_s`: seconds after which loading, or a block of calls, is given up. `scratch`:
    a folder for a temporary one; the system's when None.
    """

    threads: int = 1
    seconds: float = 3.0
    seed: int = 0
    level_ms: float | None = None
    load_s: float = 120.0
    answer_s: float = 60.0
    scratch: Path | None = None


def subject_at(path: Path, engine: Engine, precision: Precision | None = None) -> Subject:
    """The model at `path`: ONNX in one file, or OpenVINO's IR, an .xml with its .bin beside.

    Raises MissingError or InputError when it is not there or not usable.
    """
    files = {path.name: path}
    if path.suffix == ".xml":
        if engine != "openvino":
            raise InputError(f"{path} is OpenVINO's IR; {engine} takes ONNX")
        weights = path.with_suffix(".bin")
        files[weights.name] = weights
    for file in files.values():
        if not file.exists():
            raise MissingError(f"{file} does not exist; expected a model")
        if not file.is_file() or file.stat().st_size > MAX_MODEL_BYTES:
            raise InputError(f"{file} is not a file of at most {MAX_MODEL_BYTES >> 20} MiB")
    return Subject(
        {name: file.resolve() for name, file in files.items()}, path.name, engine, precision
    )


def measure_one(subject: Subject, plan: Plan, progress: Progress) -> BenchResult:
    """The latency of one model. Raises InputError, MissingError or RefusedError."""
    (outcome,) = measure([subject], plan, progress)
    if isinstance(outcome, EdgeRuntimeError):
        raise outcome
    return outcome


def measure(subjects: Sequence[Subject], plan: Plan, progress: Progress) -> list[Outcome]:
    """The latency of each subject, or why it has none, in their order.

    They take turns, block by block, until all have settled or the time of all is used up.
    """
    with ExitStack() as stack:
        scratch = TemporaryDirectory(prefix="edge-bench-", dir=plan.scratch)
        folder = Path(stack.enter_context(scratch))
        runs = [
            _Run(subject, plan, stack.enter_context(Child(folder, subject.main)))
            for subject in subjects
        ]
        for number, run in enumerate(runs):
            progress(number, len(runs), f"loading {run.subject.main} into {run.subject.engine}")
            run.attempt(run.open)
        _take_turns(runs, plan, progress)
        for run in _well(runs):
            run.attempt(run.close)
        level = _level(runs, plan)
        return [run.error or run.result(level) for run in runs]


def _take_turns(runs: Sequence["_Run"], plan: Plan, progress: Progress) -> None:
    """Blocks of all runs in turn, at least one of each."""
    start, limit, elapsed = time.monotonic(), plan.seconds * len(_well(runs)), 0.0
    while left := _well(runs):
        for run in left:
            run.attempt(run.block)
        elapsed = time.monotonic() - start
        progress(round(min(elapsed, limit)), round(limit), "measuring")
        level = _level(runs, plan)
        if elapsed >= limit or all(run.done(level) for run in _well(runs)):
            return


def _well(runs: Sequence["_Run"]) -> list["_Run"]:
    return [run for run in runs if run.error is None]


def _level(runs: Sequence["_Run"], plan: Plan) -> float:
    known = None if plan.level_ms is None else plan.level_ms * 1e6
    return level_of([run.trace for run in runs], known)


@dataclass
class _Run:
    """One subject on its way."""

    subject: Subject
    plan: Plan
    child: Child
    trace: Trace = field(default_factory=lambda: Trace(by_wall=False))
    error: EdgeRuntimeError | None = None
    calls: int = 1
    look_at: float = ENOUGH_BLOCKS
    settled: bool = False
    seconds: float = 0.0
    walls: list[Floats] = field(default_factory=list)
    processors: list[Floats] = field(default_factory=list)

    def attempt(self, step: Callable[[], None]) -> None:
        """Take a step; where it fails, the subject's outcome is that error."""
        try:
            step()
        except EdgeRuntimeError as error:
            self.error = error

    def open(self) -> None:
        """Load, run once, and find out how many calls make a block."""
        job = Job(
            files={name: str(path) for name, path in self.subject.files.items()},
            main=self.subject.main,
            engine=self.subject.engine,
            precision=self.subject.precision,
            threads=self.plan.threads,
            seed=self.plan.seed,
            memory=_half_of_memory(),
        )
        self._opened = self.child.ask(job, Opened, self.plan.load_s, "loading the model")
        self.trace = Trace(by_wall=self.plan.threads > 1 or not self._opened.fine_clock)
        warm = [self._ask(1).wall[0] for _ in range(WARM_CALLS)]
        self.calls = int(np.clip(BLOCK_S * 1e9 / min(warm), 1, MAX_CALLS))

    def block(self) -> None:
        """Time one more block of calls."""
        start = time.monotonic()
        block = self._ask(self.calls)
        self.seconds += time.monotonic() - start
        self.trace.add(block)
        self.walls.append(np.asarray(block.wall, np.float64))
        self.processors.append(np.asarray(block.processor, np.float64))

    def done(self, level: float) -> bool:
        """True when more blocks would not help."""
        if len(self.walls) >= self.look_at:
            self.look_at = len(self.walls) * GROWTH
            self.settled = judge(self.trace, level).settled
        return self.settled or len(self.walls) >= MAX_BLOCKS

    def close(self) -> None:
        """Let the child say its last word."""
        self._closed = self.child.ask(0, Closed, self.plan.answer_s, "ending")

    def result(self, level: float) -> BenchResult:
        """The figures."""
        return _result(self, self._opened, self._closed, judge(self.trace, level))

    def _ask(self, calls: int) -> Block:
        return self.child.ask(calls, Block, self.plan.answer_s, f"{calls} calls of the model")


def _result(run: _Run, opened: Opened, closed: Closed, verdict: Verdict) -> BenchResult:
    low, middle, high, highest = (np.percentile(verdict.calls, [25, 50, 75, 99]) / 1e6).tolist()
    processor = float(np.median(np.concatenate(run.processors))) / 1e6
    # A busy box may show its best rate neither before nor after; its level has seen it.
    peak = level_gflops(verdict.level, run.plan.threads)
    return BenchResult(
        schema="bench/1",
        file_sha256=opened.file_sha256,
        files_sha256=opened.files_sha256,
        bytes=opened.bytes,
        engine=run.subject.engine,
        engine_version=opened.engine_version,
        precision=opened.precision,
        threads=run.plan.threads,
        input=opened.input,
        clock="wall" if run.trace.by_wall else "processor",
        latency_ms=verdict.median / 1e6,
        interval=verdict.interval and (verdict.interval[0] / 1e6, verdict.interval[1] / 1e6),
        latency_p99_ms=highest,
        spread=(high - low) / middle,
        processor_ms=processor,
        wall_ms=float(np.median(np.concatenate(run.walls))) / 1e6,
        settled=verdict.settled,
        reason=verdict.reason,
        quiet=verdict.quiet / len(run.walls),
        noise=verdict.noise,
        reference_ms=verdict.reference / 1e6,
        level_ms=verdict.level / 1e6,
        peak_gflops=max(peak, opened.peak_gflops, closed.peak_gflops),
        calls=sum(map(len, run.walls)),
        blocks=len(run.walls),
        seconds=run.seconds,
        load_ms=opened.load_ms,
        memory_bytes=closed.memory_bytes,
        seed=run.plan.seed,
        host=opened.host,
    )


def _half_of_memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
