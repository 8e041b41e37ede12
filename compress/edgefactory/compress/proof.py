"""The prove stage: every runnable variant and the teacher over the test split, as evidence.

All figures are bound to the digests of the bytes that were executed. Accuracy comes with a
bootstrap interval, comparisons are paired, latency is taken in rounds over all subjects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from edge_runtime.contract import (
    RECIPE_FILE,
    Engine,
    Evidence,
    EvidenceBook,
    Host,
    OperatingPoint,
    Precision,
    Reference,
    Tolerance,
    VariantSet,
    encode,
)
from edge_runtime.contract.sketching import inputs_of
from edgefactory.compress import engines
from edgefactory.compress.claims import (
    Others,
    agreement_evidence,
    calibration_evidence,
    energy_evidence,
    memory_evidence,
    told,
)
from edgefactory.compress.conversion import load_variants
from edgefactory.compress.golden import GoldenFiles, golden_cases
from edgefactory.compress.judging import ClassificationJudge, DetectionJudge, Judge
from edgefactory.compress.latency import Stand, latency_evidence, measure
from edgefactory.compress.machine import has_bf16, host
from edgefactory.compress.outcomes import OUTCOMES, Asked, outcomes
from edgefactory.compress.reference import REFERENCE, Seen, reference_on
from edgefactory.compress.settings import ProveSettings
from edgefactory.compress.slices import slice_evidence
from edgefactory.compress.static import FP32, static_evidence, static_teacher_evidence
from edgefactory.compress.subjects import (
    TEACHER,
    Specialist,
    Subject,
    TeacherFile,
    specialists,
    teacher_file,
)
from edgefactory.datasets import (
    Item,
    Progress,
    Snapshot,
    TeacherSettings,
    load_picture,
    read_snapshot,
    require_splits,
    snapshot_digest,
)
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.files import fresh_folder, write_file
from edgefactory.datasets.outcomes import Outcomes, encode_outcomes
from edgefactory.training.evaluation import Judging, Shown, best_f1, class_of, numbers, truth_of
from edgefactory.training.metrics import Detections

UInt8 = npt.NDArray[np.uint8]
T = TypeVar("T")

EVIDENCE: Final = "evidence.json"
_EVERY_CLASS: Final = OperatingPoint(0.0, "a classification decides for its most probable class")


def prove(
    settings: ProveSettings,
    variants: Path,
    snapshot: Path,
    teacher: Path | None,
    out: Path,
    progress: Progress,
) -> EvidenceBook:
    """Measure the variants, and the teacher where there is one; write the folder `out`.

    `out` holds evidence.json, outcomes.json (what each variant decided on each picture),
    reference.json (what sites compare their own pictures with), operating_point.json, golden/ and
    predictions.json. Raises InputError when the variants were
    made from another snapshot, or the teacher is not the one that labelled it; TrustError when a
    variant's file was changed since.
    """
    made = load_variants(variants)
    data = read_snapshot(snapshot)
    require_splits(data, ("val", "test"), str(snapshot))
    found = snapshot_digest(snapshot)
    if made.snapshot_sha256 != found:
        raise InputError(
            f"{snapshot} is snapshot {found[:12]}…, the variants were made from "
            f"{made.snapshot_sha256[:12]}…: use that one, or compress again"
        )
    with ExitStack() as stack:
        models = specialists(made, variants, settings.threads)
        looks = TeacherSettings(tile=settings.tile, stride=settings.stride, whole=settings.whole)
        master = stack.enter_context(teacher_file(teacher, data, looks)) if teacher else None
        bench = _Bench(settings, made, data, snapshot, found, models, master, host(), progress)
        prove_task = _prove_detection if data.task == "detection" else _prove_classification
        result = prove_task(bench)
        items = (
            *result.items,
            *_timed(bench),
            *_taken(bench, variants),
            *static_evidence(made, variants, settings.threads, found),
            *_static_teacher(bench),
        )
    book = EvidenceBook(schema="evidence/1", host=bench.host, items=items)
    with fresh_folder(out, EVIDENCE) as folder:
        write_file(folder / EVIDENCE, encode(book))
        write_file(folder / OUTCOMES, encode_outcomes(result.outcomes))
        write_file(folder / REFERENCE, encode(result.reference))
        write_file(folder / "operating_point.json", encode(result.point))
        write_file(folder / "golden" / "golden.json", encode(result.golden.golden))
        for name, content in result.golden.pictures.items():
            write_file(folder / "golden" / f"{name}.png", content)
        write_file(folder / "predictions.json", msgspec.json.encode(result.predictions) + b"\n")
    progress(_STEPS, _STEPS, f"{len(items)} figures")
    return book


@dataclass(frozen=True)
class _Bench:
    """All that a proof works with."""

    settings: ProveSettings
    made: VariantSet
    data: Snapshot
    folder: Path
    digest: str
    models: Sequence[Specialist]
    master: TeacherFile | None
    host: Host
    progress: Progress

    def picture(self, item: Item) -> UInt8:
        """The item's pixels, its digest checked."""
        return load_picture(self.folder, item)


@dataclass(frozen=True)
class _Result:
    """What judging gave."""

    items: list[Evidence]
    outcomes: Outcomes
    reference: Reference
    point: OperatingPoint
    golden: GoldenFiles
    predictions: Mapping[str, object]


def _prove_detection(bench: _Bench) -> _Result:
    classes = numbers(bench.data)
    settings = bench.settings
    truths = [truth_of(item, classes) for item in bench.data.split("test")]
    judge = DetectionJudge(truths, settings.bootstrap, settings.seed, settings.lowest_score)
    answers = _ask(bench, judge, bench.models, "test", 0)
    answers.update(_ask_teacher(bench))
    reference = _reference(bench)
    checked = _ask(bench, judge, [reference], "val", 2)[reference.subject]
    shown = Shown("val", checked, [truth_of(item, classes) for item in bench.data.split("val")])
    point = best_f1(shown)
    return _result(bench, judge, answers, point)


def _prove_classification(bench: _Bench) -> _Result:
    classes = numbers(bench.data)
    targets = np.asarray([class_of(item, classes) for item in bench.data.split("test")], np.int64)
    judge = ClassificationJudge(targets, bench.settings.bootstrap, bench.settings.seed)
    return _result(bench, judge, _ask(bench, judge, bench.models, "test", 0), _EVERY_CLASS)


def _ask(
    bench: _Bench, judge: Judge[T], models: Sequence[Specialist], split: str, step: int
) -> dict[Subject, list[T]]:
    """Each model's answers about the pictures of a split."""
    answers: dict[Subject, list[T]] = {model.subject: [] for model in models}
    items = [item for item in bench.data.items if item.split == split]
    for number, item in enumerate(items):
        bench.progress(step, _STEPS, f"{split} picture {number + 1}/{len(items)}")
        batch, place = models[0].prepare(bench.picture(item))
        for model in models:
            answers[model.subject].append(judge.answer(model.session.run(batch), place))
    return answers


def _ask_teacher(bench: _Bench) -> dict[Subject, list[Detections]]:
    """The teacher's answers about the test split, at each of its precisions, on all cores."""
    if bench.master is None:
        return {}
    engine, precisions = _teacher_on(bench)
    answers: dict[Subject, list[Detections]] = {}
    items = bench.data.split("test")
    for precision in precisions:
        subject = bench.master.subject(engine, precision, max(1, bench.host.cores))
        tiled = bench.master.tiled(subject)
        answers[subject] = []
        for number, item in enumerate(items):
            what = f"teacher in {precision}, picture {number + 1}/{len(items)}"
            bench.progress(1, _STEPS, what)
            found = tiled.predict(bench.picture(item))
            labels = np.full(len(found.scores), bench.master.label, np.int64)
            answers[subject].append(
                Detections(found.boxes.astype(np.float64), found.scores.astype(np.float64), labels)
            )
    return answers


def _teacher_on(bench: _Bench) -> tuple[Engine, tuple[Precision, ...]]:
    """The engine that the teacher is judged on, and its precisions, f32 first."""
    if engines.unavailable("openvino") is not None:
        return "onnxruntime", ("f32",)
    return "openvino", ("f32", "bf16") if has_bf16(bench.host) else ("f32",)


def _reference(bench: _Bench) -> Specialist:
    """The FP32 variant that the others are compared with; the first one where it is not here."""
    return next((m for m in bench.models if m.subject.name == FP32), bench.models[0])


def _result(
    bench: _Bench, judge: Judge[T], answers: Mapping[Subject, list[T]], point: OperatingPoint
) -> _Result:
    settings = bench.settings
    bench.progress(3, _STEPS, "bootstrap and golden cases")
    tolerance = Tolerance(score=settings.score_tolerance, iou=settings.iou_tolerance)
    golden = golden_cases(
        bench.data.task,
        bench.models,
        [bench.picture(item) for item in _spread(bench.data.split("test"), settings.golden_cases)],
        point,
        tolerance,
        _built_from(bench),
    )
    others = Others(bench.data, bench.made.labels, bench.digest, point)
    items = [
        *_accuracy(bench, judge, answers),
        *agreement_evidence(others, _reference(bench).subject, answers),
        *calibration_evidence(others, answers, settings.bootstrap, settings.seed),
        *slice_evidence(others, answers, Judging(settings.bootstrap, settings.seed, worst=0)),
    ]
    asked = Asked(bench.data, bench.digest, bench.made.labels)
    variants = {
        subject: told(given) for subject, given in answers.items() if subject.name != TEACHER
    }
    decided = outcomes(asked, variants, settings.lowest_score)
    reference = reference_on(_looked_at(bench), variants, point, _built_from(bench))
    return _Result(items, decided, reference, point, golden, _predictions(bench, judge, answers))


def _looked_at(bench: _Bench) -> Seen:
    """The inputs on the test split, in its order."""
    items = bench.data.split("test")
    inputs = [bench.models[0].prepare(bench.picture(item))[0][0] for item in items]
    return Seen(items, [inputs_of(one) for one in inputs], len(bench.made.labels))


def _built_from(bench: _Bench) -> dict[str, str]:
    """The variants that a device builds, each with one here that runs the same file."""
    runs = {model.subject.file_sha256: model.subject.name for model in bench.models}
    return {
        variant.name: runs[variant.files[variant.main].sha256]
        for variant in bench.made.variants
        if RECIPE_FILE in variant.files and variant.files[variant.main].sha256 in runs
    }


def _accuracy(bench: _Bench, judge: Judge[T], answers: Mapping[Subject, list[T]]) -> list[Evidence]:
    """How good each subject is, and how it compares in pairs with the teacher and with FP32."""
    fp32 = _reference(bench).subject
    teacher = next((subject for subject in answers if subject.name == TEACHER), None)
    found: list[Evidence] = []
    for subject, given in answers.items():
        found.append(subject.evidence(judge.metric, judge.figure(given), bench.digest))
        for other, name in ((teacher, TEACHER), (fp32, "fp32")):
            if other is None or other == subject or subject.name == TEACHER:
                continue
            metric, figure = f"{judge.metric}_minus_{name}", judge.difference(given, answers[other])
            found.append(subject.evidence(metric, figure, bench.digest, against=other.file_sha256))
    return found


def _predictions(
    bench: _Bench, judge: Judge[T], answers: Mapping[Subject, list[T]]
) -> dict[str, object]:
    """Truth and answers by picture, for the report; the teacher at its first precision."""
    named: dict[str, list[T]] = {}
    for subject, given in answers.items():
        named.setdefault(subject.name, given)
    frames = {
        str(item.id if item.frame is None or bench.data.task != "detection" else item.frame): {
            "picture": f"snapshot/{item.file}",
            "truth": judge.truth_row(index),
            **{name: judge.row(given[index]) for name, given in named.items()},
        }
        for index, item in enumerate(bench.data.split("test"))
    }
    return {"schema": "predictions/1", "truth": bench.data.test_labels, "frames": frames}


def _timed(bench: _Bench) -> list[Evidence]:
    settings = bench.settings
    wanted = max(settings.latency_pictures, settings.teacher_pictures)
    stand = Stand(
        settings,
        bench.data.task,
        bench.models,
        bench.master,
        has_bf16(bench.host),
        [bench.picture(item) for item in _spread(bench.data.split("test"), wanted)],
    )
    timings = measure(
        stand,
        lambda done: bench.progress(4, _STEPS, f"latency, round {done}/{settings.rounds}"),
    )
    return latency_evidence(timings, bench.digest, settings.seed)


def _taken(bench: _Bench, variants: Path) -> list[Evidence]:
    """Memory, and energy where the processor tells."""
    item = bench.data.split("test")[0]
    batch, _ = bench.models[0].prepare(bench.picture(item))
    return [
        *memory_evidence(
            bench.models,
            {variant.name: variant for variant in bench.made.variants},
            variants,
            bench.digest,
            lambda *_: bench.progress(4, _STEPS, "memory"),
        ),
        *energy_evidence(bench.models, batch, bench.digest),
    ]


def _static_teacher(bench: _Bench) -> list[Evidence]:
    if bench.master is None:
        return []
    engine, precisions = _teacher_on(bench)
    subject = bench.master.subject(engine, precisions[0], bench.settings.threads)
    item = bench.data.split("test")[0]
    return static_teacher_evidence(bench.master, subject, item, bench.digest)


def _spread(items: Sequence[Item], count: int) -> list[Item]:
    """Up to `count` items, evenly spread."""
    count = min(count, len(items))
    return [items[i * len(items) // count] for i in range(count)]


_STEPS: Final = 5
