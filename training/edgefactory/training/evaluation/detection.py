"""A detector's answers and the truth become an evaluation. Pure; all at COCO's rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgefactory.datasets import Item
from edgefactory.datasets.errors import InputError
from edgefactory.training.evaluation.calibration import (
    LOWEST_SCORE,
    Confidences,
    fit_scores,
    reliability,
    warm_scores,
)
from edgefactory.training.evaluation.coco import EVERY_IOU, IOU50, IOU75, MOST, Family, family
from edgefactory.training.evaluation.document import (
    By,
    Calibration,
    Curve,
    Evaluation,
    Measure,
    Point,
    Slice,
    Split,
)
from edgefactory.training.evaluation.matching import IOUS, SIZES, Matched, classes_in, match
from edgefactory.training.evaluation.mistakes import Picture, confusion, worst
from edgefactory.training.evaluation.operating import Costs, Trade, trade_of
from edgefactory.training.evaluation.pairing import pairs
from edgefactory.training.evaluation.precision import mean_precision, mean_recall
from edgefactory.training.evaluation.resampling import drawn, measure
from edgefactory.training.evaluation.slicing import Group, groups, too_small
from edgefactory.training.evaluation.subject import Judging, Subject
from edgefactory.training.metrics import Detections, Floats, Integers, Truth, ratio

_POINTS = 200  # of a curve
_APS = {"ap": EVERY_IOU, "ap50": IOU50, "ap75": IOU75}


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
    slices, unsliced = _slices(subject, shown, every, point.score_threshold)
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


@dataclass(frozen=True)
class _Part:
    """A slice before it is measured. `classes` are those that there is something of to find;
    `every` has the false alarms of the others too."""

    by: By
    name: str
    classes: Sequence[Matched]
    every: Sequence[Matched]
    values: Mapping[str, float]

    @property
    def wanted(self) -> Integers:
        """Boxes to be found in each picture."""
        return np.asarray(np.sum([one.wanted for one in self.every], axis=0), np.int64)


def _slices(
    subject: Subject, shown: Boxes, every: Mapping[int, Matched], threshold: float
) -> tuple[tuple[Slice, ...], dict[str, str]]:
    judging, names = subject.judging, subject.model.classes
    labels = classes_in(shown.truths)
    told = family(shown.answers, shown.truths, labels)
    real = [every[label] for label in labels]
    sizes = {
        name: [match(shown.answers, shown.truths, label, ends) for label in every]
        for name, ends in SIZES.items()
    }
    whole = _Part("all", "all", real, list(every.values()), _values(told))
    made = [_whole(whole, sizes, told, threshold, judging)]
    if len(names) > 1:
        made += [
            _measured(
                _Part("class", names[label], [one], [one], _values(told, label=label)),
                threshold,
                judging,
            )
            for label, one in zip(labels, real, strict=True)
        ]
    for name, matched in sizes.items():
        part = _Part("size", name, matched, matched, _values(told, name))
        made.append(_measured(part, threshold, judging))
    grouped = groups(shown.items, judging.zone)
    made += [_group(group, shown, every, threshold, judging) for group in grouped.found]
    without = dict(grouped.without)
    if len(names) == 1:
        without["class"] = f"{names[0]} is the only class"
    return tuple(made), without


def _values(told: Family, size: str = "all", label: int | None = None) -> dict[str, float]:
    values = {name: told.ap(ious, size, label) for name, ious in _APS.items()}
    return values | {f"ar{most}": told.ar(most, size, label) for most in MOST}


def _group(
    group: Group, shown: Boxes, every: Mapping[int, Matched], threshold: float, judging: Judging
) -> Slice:
    """The slice of a group of pictures; nothing is matched anew."""
    part = shown.only(group.pictures)
    labels = classes_in(part.truths)
    inside = {label: one.only(group.pictures) for label, one in every.items()}
    values = _values(family(part.answers, part.truths, labels)) if labels else {}
    real = [inside[label] for label in labels]
    made = _Part(group.by, group.name, real, list(inside.values()), values)
    return _measured(made, threshold, judging, len(group.pictures))


def _whole(
    part: _Part,
    sizes: Mapping[str, list[Matched]],
    told: Family,
    threshold: float,
    judging: Judging,
) -> Slice:
    """All pictures: the whole family, however few there are."""
    weights = drawn(len(part.wanted), judging.draws, judging.seed)
    figures = _figures(part, weights, threshold, judging)
    for size, matched in sizes.items():
        value = told.ap(EVERY_IOU, size)
        wanted = np.sum([one.wanted for one in matched], axis=0)
        drawn_ap = mean_precision(matched, weights, EVERY_IOU)
        figures[f"ap_{size}"] = _about(value, drawn_ap, int(wanted.sum()), int((wanted > 0).sum()))
    return Slice("all", "all", len(part.wanted), figures)


def _measured(
    part: _Part, threshold: float, judging: Judging, pictures: int | None = None
) -> Slice:
    wanted = part.wanted
    shown = int((wanted > 0).sum()) if pictures is None else pictures
    why = too_small(shown, int(wanted.sum()), "boxes")
    if why:
        return Slice(part.by, part.name, shown, why=why)
    weights = drawn(len(wanted), judging.draws, judging.seed)
    return Slice(part.by, part.name, shown, _figures(part, weights, threshold, judging))


def _figures(
    part: _Part, weights: Floats, threshold: float, judging: Judging
) -> dict[str, Measure]:
    boxes, units = int(part.wanted.sum()), int((part.wanted > 0).sum())
    figures = {
        name: _about(part.values[name], mean_precision(part.classes, weights, ious), boxes, units)
        for name, ious in _APS.items()
        if name in part.values
    }
    for most in MOST:
        if f"ar{most}" in part.values:
            values = mean_recall(part.classes, weights, most)
            figures[f"ar{most}"] = _about(part.values[f"ar{most}"], values, boxes, units)
    return figures | _at_point(trade_of(part.every), weights, threshold, judging)


def _about(value: float, values: Floats, n: int, units: int) -> Measure:
    """The library's value with the interval of ours; a test holds the two together."""
    return measure(np.append(value, values[1:]), n, units)


def _at_point(
    trade: Trade, weights: Floats, threshold: float, judging: Judging
) -> dict[str, Measure]:
    hits, alarms, missed = trade.counted(threshold)
    right, false, lost = weights @ hits, weights @ alarms, weights @ missed
    found, wanted = int((hits + alarms).sum()), int(trade.wanted.sum())
    saying, holding = (int((part > 0).sum()) for part in (hits + alarms, trade.wanted))
    each = np.maximum(weights.sum(axis=1), 1.0)
    figures = {
        "precision": measure(
            ratio(right, right + false, np.nan), found, saying, "nothing reaches the threshold"
        ),
        "recall": measure(ratio(right, right + lost, np.nan), wanted, holding),
        "f1": measure(ratio(2 * right, 2 * right + false + lost, np.nan), wanted + found, holding),
        "false_alarms": measure(false / each, trade.pictures, trade.pictures, event=1.0),
    }
    if judging.costs:
        cost = (judging.costs.fn * lost + judging.costs.fp * false) / each
        dearest = max(judging.costs.fn, judging.costs.fp)
        figures["cost"] = measure(cost, trade.pictures, trade.pictures, event=dearest)
    return figures


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
