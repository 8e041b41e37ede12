"""What models decided on each picture of the test split, as `outcomes.json` has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from edge_runtime.contract import Release, Variant
from edgefactory.compress import engines
from edgefactory.compress.answers import Answer
from edgefactory.compress.models import LOWEST
from edgefactory.compress.opening import Opening, open_model
from edgefactory.compress.subjects import Subject
from edgefactory.datasets import Item, Progress, Snapshot, load_picture, read_snapshot
from edgefactory.datasets.documents import read_document
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.manifest import snapshot_digest
from edgefactory.datasets.outcomes import IOUS, Answered, Boxes, Outcomes, Shown, time_of_day
from edgefactory.training import Detections
from edgefactory.training import evaluation as ev
from edgefactory.training.evaluation.matching import classes_in, match

OUTCOMES: Final = "outcomes.json"
_DIGITS: Final = 6  # of a score; their order is kept beside


@dataclass(frozen=True)
class Asked:
    """The test pictures of a snapshot, and the models' classes in their own order."""

    data: Snapshot
    snapshot: str
    classes: tuple[str, ...]

    @property
    def items(self) -> tuple[Item, ...]:
        """The pictures."""
        return self.data.split("test")


def outcomes(asked: Asked, answers: Mapping[Subject, Sequence[Answer]], lowest: float) -> Outcomes:
    """The document for `answers`, one a picture of `asked.items`, from the score `lowest` up."""
    data, items = asked.data, asked.items
    numbers = {name: number for number, name in enumerate(asked.classes)}
    shown = tuple(Shown(i.id, i.source, i.captured_at, i.frame) for i in items)
    captured = _captured(data)
    told = _boxes if data.task == "detection" else _said
    wanted, targets, subjects = told(asked, numbers, answers, lowest)
    return Outcomes(
        "outcomes/1",
        data.task,
        asked.classes,
        asked.snapshot,
        data.test_labels,
        shown,
        subjects,
        wanted,
        targets,
        captured,
    )


def release_outcomes(release: Path, snapshot: Path, progress: Progress) -> Outcomes:
    """Ask each variant of the release folder that can run here about the test split of `snapshot`.

    Raises MissingError when none can, InputError when the classes differ or there is no picture.
    """
    made, data = read_document(release / "release.json", Release), read_snapshot(snapshot)
    if made.task != data.task or {*made.labels} != {*data.classes}:
        raise InputError(
            f"{release} is for {made.task} of {', '.join(made.labels[:5])}; {snapshot} is for "
            f"{data.task} of {', '.join(data.classes[:5])}: they must be the same"
        )
    asked = Asked(data, snapshot_digest(snapshot), made.labels)
    if not asked.items:
        raise InputError(f"{snapshot} has no labelled picture in its test split; label some")
    runnable = [v for v in made.variants if engines.unavailable(v.engine) is None]
    if not runnable:
        raise MissingError(f"no variant of {release} can run here; install onnxruntime")
    answers = {
        _subject(variant): _ask(str(release), variant, snapshot, asked.items, progress)
        for variant in runnable
    }
    return outcomes(asked, answers, LOWEST)


def _subject(variant: Variant) -> Subject:
    files = tuple(ref.sha256 for ref in variant.files.values())
    main = variant.files[variant.main].sha256
    return Subject(variant.name, variant.engine, variant.precision, main, files, 1)


def _ask(
    release: str, variant: Variant, folder: Path, items: Sequence[Item], progress: Progress
) -> list[Answer]:
    model = open_model(release, Opening(variant=variant.name))
    found = []
    for done, item in enumerate(items, start=1):
        progress(done, len(items), f"asking {variant.name}")
        found.append(model.answer(load_picture(folder, item)))
    return found


_Told = tuple[dict[str, tuple[int, ...]], tuple[int, ...], tuple[Answered, ...]]


def _boxes(
    asked: Asked,
    numbers: Mapping[str, int],
    answers: Mapping[Subject, Sequence[Answer]],
    lowest: float,
) -> _Told:
    truths = [ev.truth_of(item, numbers) for item in asked.items]
    labels = classes_in(truths)
    wanted = {
        asked.classes[label]: tuple(
            int(((truth.labels == label) & ~truth.ignore).sum()) for truth in truths
        )
        for label in labels
    }

    def told(given: Sequence[Answer]) -> dict[str, Boxes]:
        said = [answer for answer in given if isinstance(answer, Detections)]
        found = {}
        for label in labels:
            right, score, picture = match(said, truths, label, ious=IOUS[:1]).at(0)
            found[asked.classes[label]] = Boxes(
                tuple(int(place) for place in picture),
                tuple(round(float(value), _DIGITS) for value in score),
                tuple(bool(one) for one in right),
            )
        return found

    return wanted, (), _answered(answers, lowest, lambda given: (told(given), ()))


def _said(
    asked: Asked,
    numbers: Mapping[str, int],
    answers: Mapping[Subject, Sequence[Answer]],
    lowest: float,  # noqa: ARG001 - a class has no score from which it counts
) -> _Told:
    targets = tuple(ev.class_of(item, numbers) for item in asked.items)

    def told(given: Sequence[Answer]) -> tuple[dict[str, Boxes], tuple[int, ...]]:
        return {}, tuple(int(np.argmax(np.asarray(answer))) for answer in given)

    return {}, targets, _answered(answers, 0.0, told)


def _answered(
    answers: Mapping[Subject, Sequence[Answer]],
    lowest: float,
    told: Callable[[Sequence[Answer]], tuple[dict[str, Boxes], tuple[int, ...]]],
) -> tuple[Answered, ...]:
    return tuple(
        Answered(
            subject.name,
            subject.file_sha256,
            subject.files_sha256,
            subject.engine,
            subject.precision,
            lowest,
            *told(given),
        )
        for subject, given in answers.items()
    )


def _captured(data: Snapshot) -> tuple[float, float] | None:
    times = [item.captured_at for item in data.items]
    if not times or any(time_of_day(time) is None for time in times):
        return None
    return min(times), max(times)
