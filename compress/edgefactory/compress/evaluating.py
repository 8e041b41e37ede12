"""A model asked about the pictures of a split, and judged by what is true there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edgefactory.compress.answers import Answer
from edgefactory.compress.models import Model
from edgefactory.datasets import (
    Item,
    Label,
    Progress,
    Snapshot,
    Split,
    load_picture,
    read_snapshot,
    require_splits,
    snapshot_digest,
)
from edgefactory.datasets.errors import InputError
from edgefactory.training import evaluation as ev
from edgefactory.training.metrics import Detections


@dataclass(frozen=True)
class EvaluateSettings:
    """The split that is judged, and how. The operating point is chosen by `judging.costs`, by
    `precision`, or else is the release's own, or that of the best F1."""

    split: Split = "test"
    judging: ev.Judging = field(default_factory=ev.Judging)
    precision: float | None = None


def evaluate(
    settings: EvaluateSettings, model: Model, snapshot: Path, progress: Progress
) -> ev.Evaluation:
    """Ask `model` about the split, and about val where that is another, and judge it.

    The operating point and the temperature are of the val split; where it has nothing to choose by,
    the point is chosen on the judged split itself, which `Point.chosen_on` tells. Raises InputError
    when snapshot and model do not belong together or there is nothing to judge.
    """
    data = read_snapshot(snapshot)
    require_splits(data, (settings.split,), str(snapshot))
    _require_match(model.about, data, settings, snapshot)
    judge = {"detection": _boxes, "classification": _classes, "embedding": _embeddings}
    return judge[model.about.task](_Case(settings, model, data, snapshot, progress))


@dataclass(frozen=True)
class _Case:
    """All that an evaluation works with."""

    settings: EvaluateSettings
    model: Model
    data: Snapshot
    folder: Path
    progress: Progress

    @property
    def numbers(self) -> dict[str, int]:
        """The model's class numbers by name."""
        return {name: number for number, name in enumerate(self.model.about.classes)}

    def items(self, split: Split) -> list[Item]:
        """The pictures of a split that there is something to say of."""
        items = self.data.split(split)
        return [i for i in items if self.data.task == "detection" or ev.has_class(i)]

    def other(self) -> Split | None:
        """The split to choose by, where it is another one and not empty."""
        return "val" if self.settings.split != "val" and self.items("val") else None

    def ask(self, split: Split, items: Sequence[Item]) -> list[Answer]:
        """The model's answers about the pictures."""
        answers = []
        for done, item in enumerate(items):
            self.progress(done, len(items), f"asking about the split {split}")
            answers.append(self.model.answer(load_picture(self.folder, item)))
        self.progress(0, 0, "judging")
        return answers

    def subject(self, judged: Sequence[Item]) -> ev.Subject:
        """The model, the data, and how it is judged."""
        split = self.settings.split
        data = ev.Data(
            snapshot_sha256=snapshot_digest(self.folder),
            name=self.data.name,
            split=split,
            test_labels=self.data.test_labels,
            pictures=len(judged),
            unlabelled=len(self.data.split(split)) - len(judged),
        )
        return ev.Subject(self.model.about, data, self.settings.judging, self.progress)


def _boxes(case: _Case) -> ev.Evaluation:
    split, other = case.settings.split, case.other()
    fitting = _asked_boxes(case, other) if other else None
    if fitting is not None and not any((~truth.ignore).any() for truth in fitting.truths):
        fitting = None
    shown = _asked_boxes(case, split)
    point = _point(case, shown, fitting)
    return ev.evaluate_detections(case.subject(shown.items), shown, fitting, point)


def _asked_boxes(case: _Case, split: Split) -> ev.Boxes:
    items = case.items(split)
    truths = [ev.truth_of(item, case.numbers) for item in items]
    answers = [a for a in case.ask(split, items) if isinstance(a, Detections)]
    return ev.Boxes(split, items, answers, truths)


def _point(case: _Case, shown: ev.Boxes, fitting: ev.Boxes | None) -> ev.Point:
    settings, brought = case.settings, case.model.point
    by = fitting or shown
    choice = ev.Shown(by.split, by.answers, by.truths)
    judging = settings.judging
    if settings.precision is not None:
        point = ev.precise(choice, settings.precision, judging.draws, judging.seed)
    elif judging.costs is not None:
        point = ev.cheapest(choice, judging.costs)
    elif brought is not None:
        return ev.Point(brought.score_threshold, brought.chosen_by)
    else:
        point = ev.best_f1(choice)
    said = point.chosen_by
    if any(_guessed(label) for item in by.items for label in item.labels):
        said += ", whose labels are a teacher's"
    return ev.Point(point.score_threshold, said, by.split)


def _guessed(label: Label) -> bool:
    """Whether a machine said so, and no person has looked."""
    return label.origin.startswith("teacher:") and label.state == "accepted"


def _classes(case: _Case) -> ev.Evaluation:
    split, other = case.settings.split, case.other()
    fitting = _asked_classes(case, other) if other else None
    shown = _asked_classes(case, split)
    return ev.evaluate_classes(case.subject(shown.items), shown, fitting)


def _asked_classes(case: _Case, split: Split) -> ev.Guesses:
    items = case.items(split)
    targets = np.asarray([ev.class_of(item, case.numbers) for item in items], np.int64)
    answers = np.asarray(case.ask(split, items), np.float64)
    table = answers.reshape(len(items), len(case.model.about.classes))
    return ev.Guesses(split, items, table, targets)


def _embeddings(case: _Case) -> ev.Evaluation:
    split = case.settings.split
    items = case.items(split)
    known = {name: number for number, name in enumerate(case.data.classes)}
    identities = np.asarray([ev.class_of(item, known) for item in items], np.int64)
    answers = np.asarray(case.ask(split, items), np.float64)
    vectors = answers.reshape(len(items), -1) if items else np.zeros((0, 1))
    shown = ev.Vectors(split, items, vectors, identities, case.data.classes)
    return ev.evaluate_embeddings(case.subject(items), shown)


def _require_match(
    about: ev.Model, data: Snapshot, settings: EvaluateSettings, snapshot: Path
) -> None:
    """Raise InputError unless the model does what the labels are for, with the same classes."""
    wanted = "detection" if about.task == "detection" else "classification"
    if data.task != wanted:
        raise InputError(
            f"{about.name} is a model for {about.task}, {snapshot} is labelled for {data.task}; "
            f"judge it on a snapshot for {wanted}"
        )
    if about.task != "detection" and (settings.precision or settings.judging.costs):
        raise InputError(
            "--cost and --precision choose the score from which a detection counts; a model for "
            f"{about.task} has no such score: leave them out"
        )
    signal = about.input.signal or None if about.input else None
    if signal is not None and signal != data.signal:
        what = "pictures" if data.signal is None else "sequences of another kind"
        raise InputError(
            f"{about.name} is a model for sequences, {snapshot} holds {what}; judge it on a "
            "snapshot like the one it learned from"
        )
    if about.task == "embedding":
        return
    model, labels = set(about.classes), set(data.classes)
    if model != labels:
        only = [
            f"only {who} has {', '.join(sorted(more)[:5])}"
            for who, more in (("the model", model - labels), ("the snapshot", labels - model))
            if more
        ]
        raise InputError(
            f"{about.name} and {snapshot} have other classes: {'; '.join(only)}; rename or drop "
            "those of the snapshot with `edgefactory data remap`"
        )
