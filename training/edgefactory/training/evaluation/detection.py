"""A detector's answers and the truth become an evaluation. Pure; all at COCO's rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from edgefactory.datasets import Item
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.outcomes import IOUS, Matched
from edgefactory.training.evaluation.calibration import (
    LOWEST_SCORE,
    Confidences,
    fit_scores,
    reliability,
    warm_scores,
)
from edgefactory.training.evaluation.coco import family
from edgefactory.training.evaluation.document import (
    Calibration,
    Curve,
    Evaluation,
    Measure,
    Point,
    Slice,
    Split,
)
from edgefactory.training.evaluation.matching import SIZES, classes_in, match
from edgefactory.training.evaluation.mistakes import Picture, confusion, worst
from edgefactory.training.evaluation.operating import Costs, Trade, trade_of
from edgefactory.training.evaluation.pairing import pairs
from edgefactory.training.evaluation.parts import Part
from edgefactory.training.evaluation.slicing import Group, groups, too_small
from edgefactory.training.evaluation.subject import Judging, Subject
from edgefactory.training.metrics import Detections, Integers, Truth

_POINTS = 200  # of a curve


@dataclass(frozen=True)
class Boxes:
    """What was found in the pictures of one split, and what is there; picture by picture."""

    split: Split
    items: Sequence[Item]
    answers: Sequence[Detections]
    truths: Sequence[Truth]

    def only(self, places: Integers) -> Boxes:
        """The same in some of the pictures."""
        return Boxes(
            self.split,
            [self.items[i] for i in places],
            [self.answers[i] for i in places],
            [self.truths[i] for i in places],
        )


def evaluate_detections(
    subject: Subject, shown: Boxes, fitting: Boxes | None, point: Point
) -> Evaluation:
    """Judge what was `shown` at the operating `point`; a temperature is fitted on `fitting`.

    Raises InputError when there is no box to find.
    """
    labels = classes_in(shown.truths)
    if not labels:
        raise InputError(
            f"the split {shown.split} of {subject.data.name} holds no box to find in "
            f"{len(shown.items)} pictures; label some, or choose another split"
        )
    judging, classes = subject.judging, subject.model.classes
    every = {label: match(shown.answers, shown.truths, label) for label in _all_labels(shown)}
    slices, unsliced = _slices(subject, shown, every, point)
    pictures = [
        Picture(item, found, truth, pairs(found, truth, point.score_threshold))
        for item, found, truth in zip(shown.items, shown.answers, shown.truths, strict=True)
    ]
    mistakes = [
        mistake
        for one in pictures
        for mistake in one.mistakes(classes, judging.costs or Costs(), point.score_threshold)
    ]
    kept, total = worst(mistakes, judging.worst)
    trade = trade_of(list(every.values()))
    return Evaluation(
        schema="evaluation/1",
        model=subject.model,
        data=subject.data,
        draws=judging.draws,
        seed=judging.seed,
        zone=str(judging.zone),
        slices=slices,
        unsliced=unsliced,
        mistakes=kept,
        mistakes_of_kind=total,
        point=point,
        curve=_curve(trade, point.score_threshold),
        calibration=_calibration(trade, fitting, judging),
        confusion=confusion(pictures, classes),
    )


def _all_labels(shown: Boxes) -> list[int]:
    """Every class that is there or was found."""
    found = {int(label) for answer in shown.answers for label in answer.labels}
    return sorted(found.union(classes_in(shown.truths)))


def _slices(
    subject: Subject, shown: Boxes, every: Mapping[int, Matched], point: Point
) -> tuple[tuple[Slice, ...], dict[str, str]]:
    """All pictures first, then classes, sizes, sources and times; and what there is no slice of."""
    names = subject.model.classes
    grouped = groups(shown.items, subject.judging.zone)
    parts = [*_parts(shown, every, names)]
    parts += [_grouped(group, shown, every) for group in grouped.found]
    sizes: dict[str, Measure] = {}
    slices = []
    for done, part in enumerate(parts):
        subject.progress(done, len(parts), f"judging {part.by} {part.name}")
        figures = part.figures(point.score_threshold, subject.judging)
        if part.by == "size":
            sizes[f"ap_{part.name}"] = figures["ap"]
        why = "" if part.by == "all" else too_small(part.pictures, int(part.wanted.sum()), "boxes")
        slices.append(Slice(part.by, part.name, part.pictures, {} if why else figures, why))
    whole = msgspec.structs.replace(slices[0], figures=slices[0].figures | sizes)
    without = dict(grouped.without)
    if len(names) == 1:
        without["class"] = f"{names[0]} is the only class"
    return (whole, *slices[1:]), without


def _parts(shown: Boxes, every: Mapping[int, Matched], names: Sequence[str]) -> Iterator[Part]:
    """All pictures, each class that there is where there are several, each size."""
    labels = classes_in(shown.truths)
    told = family(shown.answers, shown.truths, labels)
    real = [every[label] for label in labels]
    yield Part("all", "all", real, list(every.values()), told.values())
    for label, one in zip(labels if len(names) > 1 else (), real, strict=False):
        yield Part("class", names[label], [one], [one], told.values(label=label))
    for name, ends in SIZES.items():
        matched = [match(shown.answers, shown.truths, label, ends) for label in every]
        yield Part("size", name, matched, matched, told.values(name))


def _grouped(group: Group, shown: Boxes, every: Mapping[int, Matched]) -> Part:
    """A group of pictures; nothing is matched anew."""
    part = shown.only(group.pictures)
    labels = classes_in(part.truths)
    inside = {label: one.only(group.pictures) for label, one in every.items()}
    values = family(part.answers, part.truths, labels).values() if labels else {}
    real = [inside[label] for label in labels]
    return Part(group.by, group.name, real, list(inside.values()), values)


def _curve(trade: Trade, threshold: float) -> Curve:
    """Precision over recall of all classes together, at most `_POINTS` points."""
    right = np.cumsum(trade.hits)
    seen = np.arange(1, len(right) + 1)
    last = np.flatnonzero(np.append(np.diff(trade.scores) < 0, len(seen) > 0))
    wanted = int(trade.wanted.sum())
    chosen = (
        last[np.unique(np.linspace(0, len(last) - 1, _POINTS).astype(int))] if len(last) else last
    )
    hits, alarms, _ = (int(part.sum()) for part in trade.counted(threshold))
    at = (hits / wanted, hits / (hits + alarms)) if hits + alarms else None
    return Curve(
        "precision-recall",
        tuple(round(float(v), 5) for v in right[chosen] / wanted),
        tuple(round(float(v), 5) for v in right[chosen] / seen[chosen]),
        at,
    )


def _calibration(trade: Trade, fitting: Boxes | None, judging: Judging) -> Calibration:
    found = _confidences(trade)
    before = reliability(found, judging.draws, judging.seed)
    if fitting is None:
        return Calibration(before, why="no other split to fit a temperature on")
    labels = _all_labels(fitting)
    matched = [match(fitting.answers, fitting.truths, label, ious=IOUS[:1]) for label in labels]
    other = _confidences(trade_of(matched)) if matched else None
    if other is None or not other.right.any() or other.right.all():
        why = f"the split {fitting.split} does not show both right and wrong detections"
        return Calibration(before, why=why)
    temperature = fit_scores(other)
    warm = Confidences(
        warm_scores(found.sure, temperature), found.right, found.picture, found.pictures
    )
    after = reliability(warm, judging.draws, judging.seed)
    return Calibration(before, temperature, fitting.split, after)


def _confidences(trade: Trade) -> Confidences:
    kept = trade.scores >= LOWEST_SCORE
    return Confidences(trade.scores[kept], trade.hits[kept], trade.picture[kept], trade.pictures)
