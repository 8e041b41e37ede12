"""A classifier's probabilities and the true classes become an evaluation. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgefactory.datasets import Item
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.outcomes import ratio
from edgefactory.training.evaluation.calibration import (
    Confidences,
    fit_classes,
    reliability,
    warm_classes,
)
from edgefactory.training.evaluation.document import (
    Calibration,
    Confusion,
    Evaluation,
    Measure,
    Mistake,
    Slice,
    Split,
)
from edgefactory.training.evaluation.mistakes import worst
from edgefactory.training.evaluation.resampling import drawn, measure
from edgefactory.training.evaluation.slicing import groups, too_small
from edgefactory.training.evaluation.subject import Judging, Subject
from edgefactory.training.metrics import Floats, Integers

TOP = 5
MOST_CLASSES = 200  # of a confusion matrix
_LEAST_PROBABILITY = 1e-12  # log loss stays finite


@dataclass(frozen=True)
class Guesses:
    """Probabilities [n,C] of the pictures of one split, and their true classes [n]."""

    split: Split
    items: Sequence[Item]
    probabilities: Floats
    targets: Integers

    @property
    def loss(self) -> Floats:
        """-log of the probability of what is true [n]."""
        true = self.probabilities[np.arange(len(self.targets)), self.targets]
        return np.asarray(-np.log(np.maximum(true, _LEAST_PROBABILITY)), np.float64)

    @property
    def said(self) -> Integers:
        """The most probable class [n]."""
        return np.asarray(self.probabilities.argmax(axis=1), np.int64)

    def only(self, places: Integers) -> Guesses:
        """Some of the pictures."""
        items = [self.items[i] for i in places]
        return Guesses(self.split, items, self.probabilities[places], self.targets[places])

    def confidences(self, probabilities: Floats) -> Confidences:
        """How sure these probabilities are of what is said, and whether it is right."""
        place = np.arange(len(self.targets))
        sure = probabilities.max(axis=1)
        return Confidences(sure, self.said == self.targets, place, len(place))


def evaluate_classes(subject: Subject, shown: Guesses, fitting: Guesses | None) -> Evaluation:
    """Judge what was `shown`; a temperature is fitted on `fitting`, where there is one.

    Raises InputError when there is no labelled picture.
    """
    if not len(shown.targets):
        raise InputError(
            f"the split {shown.split} of {subject.data.name} has no picture with a settled class; "
            "label some, or choose another split"
        )
    judging, classes = subject.judging, subject.model.classes
    grouped = groups(shown.items, judging.zone)
    slices = [
        Slice("all", "all", len(shown.targets), _overall(shown, judging)),
        *_classes(shown, classes, judging),
    ]
    for group in grouped.found:
        pictures = len(group.pictures)
        why = too_small(pictures, pictures, "pictures")
        figures = {} if why else _overall(shown.only(group.pictures), judging)
        slices.append(Slice(group.by, group.name, pictures, figures, why))
    mistakes, total = worst(_mistakes(shown, classes), judging.worst)
    return Evaluation(
        schema="evaluation/1",
        model=subject.model,
        data=subject.data,
        draws=judging.draws,
        seed=judging.seed,
        zone=str(judging.zone),
        slices=tuple(slices),
        unsliced=dict(grouped.without),
        mistakes=mistakes,
        mistakes_of_kind=total,
        calibration=_calibration(shown, fitting, judging),
        confusion=_confusion(shown, classes),
    )


def _overall(shown: Guesses, judging: Judging) -> dict[str, Measure]:
    n = len(shown.targets)
    weights = drawn(n, judging.draws, judging.seed)
    right = shown.said == shown.targets
    figures = {"accuracy": measure(weights @ right / n, n, n)}
    kinds = np.unique(shown.targets)
    of_kind = shown.targets[:, None] == kinds
    recall = ratio(weights @ (of_kind & right[:, None]), weights @ of_kind, np.nan)
    balanced = ratio(
        np.nansum(recall, axis=1), (~np.isnan(recall)).sum(axis=1).astype(float), np.nan
    )
    figures["balanced_accuracy"] = measure(balanced, n, n)
    if shown.probabilities.shape[1] > TOP:
        best = np.argsort(-shown.probabilities, axis=1, kind="stable")[:, :TOP]
        among = (best == shown.targets[:, None]).any(axis=1)
        figures["top5"] = measure(weights @ among / n, n, n)
    figures["log_loss"] = measure(weights @ shown.loss / n, n, n, event=1.0)
    return figures


def _classes(shown: Guesses, classes: Sequence[str], judging: Judging) -> list[Slice]:
    """Precision, recall and F1 of each class that is there or was said."""
    weights = drawn(len(shown.targets), judging.draws, judging.seed)
    slices = []
    for label, name in enumerate(classes):
        true, said = shown.targets == label, shown.said == label
        pictures = int(true.sum())
        why = too_small(pictures, pictures, "pictures")
        if why:
            slices.append(Slice("class", name, pictures, why=why))
            continue
        right, of_true, of_said = (weights @ part for part in (true & said, true, said))
        found = int(said.sum())
        figures = {
            "precision": measure(ratio(right, of_said, np.nan), found, found, "it was never said"),
            "recall": measure(ratio(right, of_true, np.nan), pictures, pictures),
            "f1": measure(ratio(2 * right, of_true + of_said, np.nan), pictures + found, pictures),
        }
        slices.append(Slice("class", name, pictures, figures))
    return slices


def _mistakes(shown: Guesses, classes: Sequence[str]) -> list[Mistake]:
    said, loss = shown.said, shown.loss
    return [
        Mistake(
            "wrong-class",
            shown.items[i].id,
            round(float(loss[i]), 6),
            truth=classes[shown.targets[i]],
            found=classes[said[i]],
            score=float(shown.probabilities[i, said[i]]),
        )
        for i in np.flatnonzero(said != shown.targets)
    ]


def _confusion(shown: Guesses, classes: Sequence[str]) -> Confusion | None:
    if len(classes) > MOST_CLASSES:
        return None
    counts = Counter(zip(shown.targets.tolist(), shown.said.tolist(), strict=True))
    places = range(len(classes))
    return Confusion(
        tuple(classes), tuple(tuple(counts[row, column] for column in places) for row in places)
    )


def _calibration(shown: Guesses, fitting: Guesses | None, judging: Judging) -> Calibration:
    before = reliability(shown.confidences(shown.probabilities), judging.draws, judging.seed)
    if fitting is None or not len(fitting.targets):
        return Calibration(before, why="no other split to fit a temperature on")
    temperature = fit_classes(fitting.probabilities, fitting.targets)
    warm = warm_classes(shown.probabilities, temperature)
    after = reliability(shown.confidences(warm), judging.draws, judging.seed)
    return Calibration(before, temperature, fitting.split, after)
