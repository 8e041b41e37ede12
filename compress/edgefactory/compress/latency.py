"""How long a picture takes: variants and the teacher, interleaved in one run.

`latency_ms` is the engine's calls alone, for the tiled teacher those of all tiles; `frame_ms` is a
decoded picture to decisions in its own pixels, with resizing, tiling and merging; `cpu_ms` is the
processor time of the engine's calls over all threads.

Ratios of one-threaded figures are ratios of processor time: on an idle machine that is the same as
time on the clock, and on a busy one it stays so, where the clock would favour whoever is short
enough not to be interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from edge_runtime.contract import Engine, Evidence, Precision, Task, decide
from edgefactory.compress.settings import ProveSettings
from edgefactory.compress.subjects import TEACHER, Figure, Specialist, Subject, TeacherFile
from edgefactory.compress.timing import Floats, Samples, Timed, interleave, ratio

UInt8 = npt.NDArray[np.uint8]
What = Literal["engine", "frame"]
Timings = dict[tuple[Subject, What], Samples]

_MS: Final = "ms"


@dataclass(frozen=True)
class Stand:
    """What is timed: variants, and the teacher where there is one, on `pictures`."""

    settings: ProveSettings
    task: Task
    models: Sequence[Specialist]
    master: TeacherFile | None
    bf16: bool
    pictures: Sequence[UInt8]


def measure(stand: Stand, seen: Callable[[int], None]) -> Timings:
    """Wall times in milliseconds of each subject; `seen` is told how many rounds are done."""
    timed: dict[tuple[Subject, What], Timed] = {}
    settings = stand.settings
    for model in stand.models:
        engine, frame = _specialist_calls(stand, model)
        timed[model.subject, "engine"] = Timed(engine, settings.repeats)
        timed[model.subject, "frame"] = Timed(frame)
    if stand.master is not None:
        for engine_name, precision in _teacher_engines(stand):
            subject = stand.master.subject(engine_name, precision, settings.threads)
            pictures = stand.pictures[: settings.teacher_pictures]
            timed[subject, "engine"] = Timed(
                tuple(stand.master.passes(subject, picture) for picture in pictures)
            )
            if precision == "f32":
                tiled = stand.master.tiled(subject)
                timed[subject, "frame"] = Timed(
                    tuple(_call(tiled.predict, picture) for picture in pictures)
                )
    return interleave(timed, settings.rounds, seen)


def latency_evidence(timings: Timings, snapshot: str, seed: int) -> list[Evidence]:
    """The figures, and how many times faster than the teacher each variant is.

    `time_ratio` is against the teacher in f32 on the same engine and threads, `time_ratio_best`
    against the fastest that the teacher was measured at, `time_ratio_frame` compares `frame_ms`.
    """
    found: list[Evidence] = []
    for (subject, what), samples in timings.items():
        figures = {"frame_ms": np.median(samples.wall)}
        if what == "engine":
            figures = {
                "latency_ms": np.median(samples.wall),
                "latency_p99_ms": np.percentile(samples.wall, 99),
                "cpu_ms": np.median(samples.cpu),
            }
        found += [
            subject.evidence(name, Figure(float(value), len(samples.wall)), snapshot, unit=_MS)
            for name, value in figures.items()
        ]
    return [*found, *_ratios(timings, snapshot, seed)]


def _ratios(timings: Timings, snapshot: str, seed: int) -> list[Evidence]:
    teachers = [key for key in timings if key[0].name == TEACHER]
    fastest = min(
        (key for key in teachers if key[1] == "engine"),
        key=lambda key: float(np.median(_compared(key[0], key[1], timings))),
        default=None,
    )
    found: list[Evidence] = []
    for subject, what in timings:
        if subject.name == TEACHER:
            continue
        pairs = [
            ("time_ratio" if what == "engine" else "time_ratio_frame", teacher)
            for teacher, timed in teachers
            if timed == what and _comparable(teacher, subject)
        ]
        if fastest is not None and what == "engine":
            pairs.append(("time_ratio_best", fastest[0]))
        for metric, teacher in pairs:
            mine = _compared(subject, what, timings)
            value, low, high = ratio(_compared(teacher, what, timings), mine, seed)
            figure = Figure(value, len(mine), (low, high))
            against = teacher.file_sha256
            found.append(subject.evidence(metric, figure, snapshot, against=against, unit="x"))
    return found


def _compared(subject: Subject, what: What, timings: Timings) -> Floats:
    """The samples that ratios are made of; see above."""
    samples = timings[subject, what]
    return samples.cpu if subject.threads == 1 else samples.wall


def _comparable(teacher: Subject, subject: Subject) -> bool:
    """On the same engine, the teacher in f32."""
    return teacher.engine == subject.engine and teacher.precision == "f32"


def _teacher_engines(stand: Stand) -> list[tuple[Engine, Precision]]:
    """The engines that the variants use, at f32; and bf16 where the CPU has it."""
    used = {model.subject.engine for model in stand.models}
    found: list[tuple[Engine, Precision]] = []
    if "openvino" in used:
        found.append(("openvino", "f32"))
        if stand.bf16:
            found.append(("openvino", "bf16"))
    if "onnxruntime" in used:
        found.append(("onnxruntime", "f32"))
    return found


def _specialist_calls(
    stand: Stand, model: Specialist
) -> tuple[tuple[Callable[[], object], ...], tuple[Callable[[], object], ...]]:
    """The engine's call and the whole way, for each picture."""

    def whole(picture: UInt8) -> None:
        batch, place = model.prepare(picture)
        found = decide(stand.task, model.session.run(batch), 0, stand.settings.lowest_score)
        place.to_picture(np.asarray(found.boxes, np.float32).reshape(-1, 4))

    chosen = stand.pictures[: stand.settings.latency_pictures]
    engine = tuple(_call(model.session.run, model.prepare(picture)[0]) for picture in chosen)
    return engine, tuple(_call(whole, picture) for picture in chosen)


def _call(function: Callable[[UInt8], object], argument: UInt8) -> Callable[[], object]:
    return lambda: function(argument)
