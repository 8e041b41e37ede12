"""Two models on the same pictures: what they decide in pairs, and whether that is equivalent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np

from edgefactory.compress.answers import Answer, Floats
from edgefactory.compress.models import Model
from edgefactory.compress.parity import equivalence
from edgefactory.compress.parity.bisecting import Looking, bisect
from edgefactory.compress.parity.choosing import MOST, telling
from edgefactory.compress.parity.document import (
    Bisection,
    Change,
    Counts,
    Decided,
    Departure,
    Found,
    Metric,
    Parity,
    Step,
)
from edgefactory.compress.parity.pairing import Paired, changed, kept, paired, told_apart
from edgefactory.compress.parity.pipeline import Fed, Pipeline, UInt8
from edgefactory.compress.parity.quantization import Normals
from edgefactory.datasets import (
    Item,
    Progress,
    Snapshot,
    load_picture,
    read_snapshot,
    snapshot_digest,
)
from edgefactory.datasets.errors import InputError
from edgefactory.training import (
    Detections,
    accuracy,
    accuracy_difference,
    ap50,
    ap50_difference,
)
from edgefactory.training import evaluation as ev
from edgefactory.training.metrics import Truth

Chains = Callable[[], tuple[Pipeline, Pipeline]]
Split = Literal["train", "val", "test", "all"]

NOTHING: Final = 0.3  # operating point where nothing says another
SLIGHT: Final = 0.01  # how far a score may move and be the same
CALIBRATION: Final = 64  # pictures that what is normal is learned from


@dataclass(frozen=True)
class ParitySettings:
    """The pictures and the margins. `margin` is the share of decisions that may change,
    `score_margin` what scores may move by in the mean; `score` the operating point, else the
    models' own or the best F1; `draws` of the metric's bootstrap; `worst` departures are kept."""

    split: Split = "all"
    margin: float = 0.05
    score_margin: float = 0.02
    score: float | None = None
    draws: int = 1000
    worst: int = 12


def parity(
    settings: ParitySettings,
    models: tuple[Model, Model],
    snapshot: Path,
    chains: Chains | None,
    progress: Progress,
) -> Parity:
    """Compare reference and other on the pictures of `snapshot`.

    Where they are not shown to be equivalent, `chains` opens both as pipelines and the first
    departure is looked for. Raises InputError for models that cannot be compared.
    """
    data = read_snapshot(snapshot)
    items = list(data.items) if settings.split == "all" else list(data.split(settings.split))
    _require_comparable(models, data, items, settings, snapshot)
    answers = [_answers(model, snapshot, items, progress) for model in models]
    case = _Case(settings, models, data, snapshot, items, answers[0], answers[1])
    point = _point(case)
    pairs = [paired(a, b, point) for a, b in zip(*answers, strict=True)]
    share = equivalence.share_test(pairs, settings.margin)
    moves = equivalence.moves_test(pairs, settings.score_margin)
    verdict = equivalence.together([share, moves])
    ious = [iou for pair in pairs for iou in pair.ious]
    unsure = share.verdict == "cannot-tell"
    return Parity(
        schema="parity/1",
        task=models[0].about.task,
        reference=models[0].about,
        other=models[1].about,
        snapshot_sha256=snapshot_digest(snapshot),
        snapshot=data.name,
        split=settings.split,
        verdict=verdict,
        counts=_counts(pairs),
        changed=share,
        departures=_departures(case, pairs, point),
        score_threshold=point if data.task == "detection" else None,
        moved_score=moves,
        mean_iou=float(np.mean(ious)) if ious else None,
        pictures_needed=equivalence.pictures_needed(pairs, settings.margin) if unsure else None,
        metric=_metric(case),
        bisection=None
        if verdict == "equivalent"
        else _bisected(case, pairs, point, chains, progress),
    )


@dataclass(frozen=True)
class _Case:
    settings: ParitySettings
    models: tuple[Model, Model]
    data: Snapshot
    folder: Path
    items: Sequence[Item]
    first: Sequence[Answer]
    second: Sequence[Answer]


def _require_comparable(
    models: tuple[Model, Model],
    data: Snapshot,
    items: Sequence[Item],
    settings: ParitySettings,
    snapshot: Path,
) -> None:
    first, second = (model.about for model in models)
    if first.task != second.task or first.task == "embedding":
        raise InputError(
            f"{first.name} is for {first.task}, {second.name} for {second.task}; only two "
            "detectors or two classifiers can be compared"
        )
    if first.classes != second.classes:
        raise InputError(
            f"{first.name} decides for {', '.join(first.classes[:5])}; {second.name} for "
            f"{', '.join(second.classes[:5])}: they must name the same classes in one order"
        )
    if data.task not in ("detection", "classification"):
        raise InputError(f"{snapshot} is for {data.task}; expected one of pictures")
    if not items:
        raise InputError(f"{snapshot} has no pictures in the split {settings.split}")


def _answers(model: Model, folder: Path, items: Sequence[Item], progress: Progress) -> list[Answer]:
    found = []
    for done, item in enumerate(items, start=1):
        progress(done, len(items), f"asking {model.about.name}")
        found.append(model.answer(load_picture(folder, item)))
    return found


def _point(case: _Case) -> float:
    """The operating point: as set, else a model's own, else the reference's best F1 on the pictures
    with labels, else 0.3."""
    if case.settings.score is not None:
        return case.settings.score
    for model in case.models:
        if model.point is not None:
            return model.point.score_threshold
    labelled = [at for at, item in enumerate(case.items) if item.labels]
    truths = _truths(case, labelled)
    said = [case.first[at] for at in labelled]
    answers = [answer for answer in said if isinstance(answer, Detections)]
    if not answers or truths is None or not any((~truth.ignore).any() for truth in truths):
        return NOTHING
    return ev.best_f1(ev.Shown("val", answers, truths)).score_threshold


def _truths(case: _Case, chosen: Sequence[int]) -> list[Truth] | None:
    classes = case.models[0].about.classes
    if case.data.task != case.models[0].about.task or {*case.data.classes} != {*classes}:
        return None
    numbers = {name: number for number, name in enumerate(classes)}
    return [ev.truth_of(case.items[at], numbers) for at in chosen]


def _metric(case: _Case) -> Metric | None:
    """The paired difference by the labels of the test split, where there are any."""
    chosen = [at for at, item in enumerate(case.items) if item.split == "test"]
    truths = _truths(case, chosen)
    if truths is None or not chosen:
        return None
    sides = [[side[at] for at in chosen] for side in (case.first, case.second)]
    if case.data.task == "classification":
        return _accuracies(case, chosen, sides)
    if not any((~truth.ignore).any() for truth in truths):
        return None
    a, b = ([one for one in side if isinstance(one, Detections)] for side in sides)
    found = ap50_difference(a, b, truths, case.settings.draws, 0)
    values = ap50(a, truths), ap50(b, truths)
    bounds = found.lo, found.hi
    labels = case.data.test_labels
    return Metric("ap50", *values, found.value, bounds, len(chosen), labels)


def _accuracies(
    case: _Case, chosen: Sequence[int], sides: Sequence[Sequence[Answer]]
) -> Metric | None:
    known = [n for n, at in enumerate(chosen) if ev.has_class(case.items[at])]
    if not known:
        return None
    numbers = {name: number for number, name in enumerate(case.models[0].about.classes)}
    targets = np.asarray([ev.class_of(case.items[chosen[n]], numbers) for n in known], np.int64)
    a, b = (np.asarray([side[n] for n in known], np.float64) for side in sides)
    found = accuracy_difference(a, b, targets, case.settings.draws, 0)
    values = accuracy(a, targets), accuracy(b, targets)
    bounds = found.lo, found.hi
    return Metric("accuracy", *values, found.value, bounds, len(known), case.data.test_labels)


def _counts(pairs: Sequence[Paired]) -> Counts:
    def total(kind: Literal["missing", "extra", "flipped", "moved"]) -> int:
        return sum(pair.changes[kind] for pair in pairs)

    return Counts(
        pictures=len(pairs),
        reference=sum(pair.reference for pair in pairs),
        other=sum(pair.other for pair in pairs),
        matched=sum(len(pair.moves) for pair in pairs),
        missing=total("missing"),
        extra=total("extra"),
        flipped=total("flipped"),
        moved=total("moved"),
        pictures_changed=sum(pair.changed > 0 for pair in pairs),
    )


def _departures(case: _Case, pairs: Sequence[Paired], point: float) -> tuple[Departure, ...]:
    ranked = sorted(range(len(pairs)), key=lambda at: -pairs[at].weight)
    worst = [at for at in ranked[: case.settings.worst] if pairs[at].changed]
    return tuple(_departure(case, pairs[at], at, point) for at in worst)


def _departure(case: _Case, pair: Paired, at: int, point: float) -> Departure:
    first, second, classes = case.first[at], case.second[at], case.models[0].about.classes
    if isinstance(first, Detections) and isinstance(second, Detections):
        ours, theirs = kept(first, point), kept(second, point)
        changes = told_apart(ours, theirs)
        decided = [
            _boxes(side, classes, change)
            for side, change in zip((ours, theirs), changes, strict=True)
        ]
    else:
        assert not isinstance(first, Detections)
        assert not isinstance(second, Detections)
        decided = [_class(side, classes) for side in (first, second)]
    counts = {kind: count for kind, count in pair.changes.items() if count}
    return Departure(case.items[at].id, counts, round(pair.weight, 4), decided[0], decided[1])


def _class(probabilities: Floats, classes: Sequence[str]) -> tuple[Decided, ...]:
    best = int(probabilities.argmax())
    return (Decided(classes[best], round(float(probabilities[best]), 4), None, "flipped"),)


def _boxes(
    found: Detections, classes: Sequence[str], changes: Sequence[Change | None]
) -> tuple[Decided, ...]:
    made = []
    for box, score, label, change in zip(
        found.boxes, found.scores, found.labels, changes, strict=True
    ):
        x0, y0, x1, y1 = (round(float(value), 1) for value in box)
        made.append(Decided(classes[int(label)], round(float(score), 4), (x0, y0, x1, y1), change))
    return tuple(made)


def _bisected(
    case: _Case, pairs: Sequence[Paired], point: float, chains: Chains | None, progress: Progress
) -> Bisection:
    if not any(pair.changed for pair in pairs) and not _moved(pairs):
        return Bisection(0, (), why="nothing changed, so there is nothing to look for")
    if chains is None:
        return Bisection(0, (), why="not looked for")
    progress(0, 0, "opening the chain")
    try:
        reference, other = chains()
    except InputError as error:
        return Bisection(0, (), why=str(error))
    chosen = telling(pairs, MOST)
    pictures = [load_picture(case.folder, case.items[at]) for at in chosen]
    how = Looking(point, Normals(_calibration(case, reference)), progress)
    found = bisect(reference, other, pictures, how)
    return _with_export(found, [case.first[at] for at in chosen], reference, pictures, point)


def _with_export(
    found: Bisection,
    said: Sequence[Answer],
    reference: Pipeline,
    pictures: Sequence[UInt8],
    point: float,
) -> Bisection:
    """The bisection, and before it whether the reference's own ONNX graph decides as it does: of a
    checkpoint it is exported anew, of a release it is the variant in 32 bits."""
    pairs = [
        paired(answer, reference.answer(picture), point)
        for answer, picture in zip(said, pictures, strict=True)
    ]
    count = sum(pair.decisions for pair in pairs)
    off = changed(pairs)
    if not off:
        return found
    what = reference.forms[-1].name
    says = f"the reference's own ONNX graph ({what}) decides otherwise than the reference"
    step = Step("onnx", what, departs=True, changed=off, decisions=count)
    steps = (step, *found.steps)
    return Bisection(found.pictures, steps, Found("onnx", "structure", says))


def _moved(pairs: Sequence[Paired]) -> bool:
    return any(abs(move) > SLIGHT for pair in pairs for move in pair.moves)


def _calibration(case: _Case, reference: Pipeline) -> list[Fed]:
    """Right inputs, evenly spread over the train split, or over all where there is none."""
    items = list(case.data.split("train")) or list(case.data.items)
    count = min(CALIBRATION, len(items))
    chosen = [items[at * len(items) // count] for at in range(count)]
    return [reference.prepare(load_picture(case.folder, item))[0] for item in chosen]
