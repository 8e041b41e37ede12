"""What is claimed of variants besides accuracy and time: calibration, agreement, memory, energy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from edge_runtime.bench import Subject as Timed
from edge_runtime.bench.levels import LevelFile, default_file
from edge_runtime.contract import BenchResult, Evidence, OperatingPoint, Variant
from edgefactory.compress.answers import Answer
from edgefactory.compress.bench import measure_here
from edgefactory.compress.energy import counters, millijoules
from edgefactory.compress.mixed import Margins, Validation
from edgefactory.compress.parity.equivalence import agreement
from edgefactory.compress.parity.pairing import paired
from edgefactory.compress.subjects import TEACHER, Figure, Specialist, Subject
from edgefactory.datasets import Item, Progress, Snapshot
from edgefactory.datasets.outcomes import IOUS
from edgefactory.training import Detections
from edgefactory.training import evaluation as ev
from edgefactory.training.evaluation.calibration import LOWEST_SCORE, Confidences, reliability
from edgefactory.training.evaluation.matching import match
from edgefactory.training.evaluation.operating import trade_of

UInt8 = npt.NDArray[np.uint8]
T = TypeVar("T")

_METRICS: Final = {"detection": "ap50", "classification": "accuracy"}
_SHORT: Final = 0.05  # seconds that a model runs for its memory to be seen
_EVERY: Final = Margins(all=1.0, slices=1.0)  # all slices are told, none is refused


@dataclass(frozen=True)
class Others:
    """What variants are compared with FP32 on: the test split of `data`, whose manifest has the
    digest `snapshot`, the classes in the model's order, and where a detection counts."""

    data: Snapshot
    classes: tuple[str, ...]
    snapshot: str
    point: OperatingPoint


def agreement_evidence(
    on: Others, fp32: Subject, answers: Mapping[Subject, list[T]]
) -> list[Evidence]:
    """Which share of its decisions each variant takes as `fp32` does, and what each slice loses."""
    reference, items = told(answers[fp32]), on.data.split("test")
    validation = Validation(items, on.classes, reference, _EVERY)
    found = []
    for subject, given in answers.items():
        if subject == fp32 or subject.name == TEACHER:
            continue
        said, point = told(given), on.point.score_threshold
        pairs = [paired(a, b, point) for a, b in zip(reference, said, strict=True)]
        share, interval = agreement(pairs)
        figures = [("agreement", "all", Figure(share, len(pairs), interval))]
        metric = f"{_METRICS[on.data.task]}_minus_fp32"
        figures += [
            (metric, f"{drop.by}:{drop.name}", Figure(0.0 - drop.value, drop.n))
            for drop in validation.drops(said)
            if drop.by != "all"
        ]
        against = fp32.file_sha256
        found += [
            subject.evidence(name, figure, on.snapshot, against=against, part=part)
            for name, part, figure in figures
        ]
    return found


def calibration_evidence(
    on: Others, answers: Mapping[Subject, list[T]], draws: int, seed: int
) -> list[Evidence]:
    """The expected calibration error of each subject; none of what decided too little to tell."""
    numbers = {name: number for number, name in enumerate(on.classes)}
    items, found = on.data.split("test"), []
    for subject, given in answers.items():
        sure = _confidences(items, numbers, told(given))
        ece = reliability(sure, draws, seed).ece
        if ece.value is not None:
            figure = Figure(ece.value, ece.n, ece.interval)
            found.append(subject.evidence("ece", figure, on.snapshot))
    return found


def memory_evidence(
    models: Sequence[Specialist],
    variants: Mapping[str, Variant],
    folder: Path,
    snapshot: str,
    progress: Progress,
) -> list[Evidence]:
    """The most that a process of its own held which loaded a variant from `folder` and ran it."""
    timed = []
    for model in models:
        variant, home = variants[model.subject.name], folder / model.subject.name
        files = {name: home / name for name in variant.files}
        timed.append(Timed(files, variant.main, variant.engine, variant.precision))
    threads, levels = models[0].subject.threads, LevelFile(default_file())
    outcomes = measure_here(timed, threads, _SHORT, levels, progress)
    return [
        model.subject.evidence(
            "memory_bytes", Figure(found.memory_bytes, found.calls), snapshot, unit="byte"
        )
        for model, found in zip(models, outcomes, strict=True)
        if isinstance(found, BenchResult) and found.file_sha256 == model.subject.file_sha256
    ]


def energy_evidence(models: Sequence[Specialist], batch: UInt8, snapshot: str) -> list[Evidence]:
    """Millijoules of each variant's inference; nothing where the processor does not tell."""
    packages = counters()
    if not packages:
        return []
    found = []
    for model in models:
        value, calls = millijoules(partial(model.session.run, batch), packages)
        figure = Figure(value, calls)
        found.append(model.subject.evidence("energy_mj", figure, snapshot, unit="mJ"))
    return found


def _confidences(
    items: Sequence[Item], numbers: Mapping[str, int], said: Sequence[Answer]
) -> Confidences:
    """How sure each decision was, and whether it was right."""
    boxes = [answer for answer in said if isinstance(answer, Detections)]
    if not boxes:
        table = np.asarray(said, np.float64)
        targets = np.asarray([ev.class_of(item, numbers) for item in items], np.int64)
        place = np.arange(len(targets))
        return Confidences(table.max(axis=1), table.argmax(axis=1) == targets, place, len(place))
    truths = [ev.truth_of(item, numbers) for item in items]
    matched = [match(boxes, truths, label, ious=IOUS[:1]) for label in numbers.values()]
    trade = trade_of(matched)
    kept = trade.scores >= LOWEST_SCORE
    return Confidences(trade.scores[kept], trade.hits[kept], trade.picture[kept], trade.pictures)


def told(given: Sequence[object]) -> list[Answer]:
    """Detections, or probabilities [C]."""
    return [a if isinstance(a, Detections) else np.asarray(a, np.float64) for a in given]
