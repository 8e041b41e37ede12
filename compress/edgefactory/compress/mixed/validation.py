"""What a candidate loses against FP32 on the same pictures: overall, by class, source and time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgefactory.compress.answers import Answer
from edgefactory.compress.mixed.constraints import Drop, Margins
from edgefactory.datasets import Item
from edgefactory.datasets.errors import InputError
from edgefactory.training import Detections, Truth, ap50
from edgefactory.training import evaluation as ev
from edgefactory.training.evaluation.document import By
from edgefactory.training.evaluation.slicing import groups, too_small
from edgefactory.training.metrics import Integers


@dataclass(frozen=True)
class _Part:
    """Some of the pictures, by their places; of a detection only the boxes of class `label`."""

    by: By
    name: str
    places: Integers
    label: int | None = None


@dataclass(frozen=True)
class Validation:
    """The pictures of a split and what FP32 said of them, one answer each: boxes, or the
    probabilities of `classes`."""

    items: Sequence[Item]
    classes: Sequence[str]
    reference: Sequence[Answer]
    margins: Margins

    def __post_init__(self) -> None:
        if not self.items:
            raise InputError("there is no labelled picture to validate on; label some as val")
        known = {f"{part.by}:{part.name}" for part in self._parts}
        unknown = sorted(set(self.margins.named) - known)
        if unknown:
            raise InputError(
                f"no slice is called {unknown[0]!r}; large enough to be judged are "
                f"{', '.join(sorted(known - {'all:all'})[:8]) or 'none'}"
            )

    def drops(self, answers: Sequence[Answer]) -> tuple[Drop, ...]:
        """What the candidate's `answers`, in the order of `items`, lose in each slice. Slices that
        are too small for a figure (`slicing.too_small`) are left out."""
        if len(answers) != len(self.items):
            raise InputError(f"found {len(answers)} answers for {len(self.items)} pictures")
        found = []
        for part, before in zip(self._parts, self._before, strict=True):
            margin = self.margins.of(part.by, part.name)
            if margin is not None:
                value = before - self._figure(answers, part)
                found.append(Drop(part.by, part.name, value, margin, len(part.places)))
        return tuple(found)

    @property
    def _boxes(self) -> bool:
        return isinstance(self.reference[0], Detections)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.classes)}

    @cached_property
    def _truths(self) -> list[Truth]:
        return [ev.truth_of(item, self._numbers) for item in self.items]

    @cached_property
    def _targets(self) -> Integers:
        return np.asarray([ev.class_of(item, self._numbers) for item in self.items], np.int64)

    @cached_property
    def _parts(self) -> list[_Part]:
        every = np.arange(len(self.items))
        parts = [_Part("all", "all", every), *self._by_class(every)]
        parts += [_Part(group.by, group.name, group.pictures) for group in groups(self.items).found]
        return [p for p in parts if p.by == "all" or not too_small(*self._size(p), "things")]

    @cached_property
    def _before(self) -> list[float]:
        return [self._figure(self.reference, part) for part in self._parts]

    def _by_class(self, every: Integers) -> Iterator[_Part]:
        if len(self.classes) == 1:
            return
        for number, name in enumerate(self.classes):
            if self._boxes:
                yield _Part("class", name, every, number)
            else:
                yield _Part("class", name, np.flatnonzero(self._targets == number))

    def _size(self, part: _Part) -> tuple[int, int]:
        """Pictures, and what is judged in them: boxes, or the pictures themselves."""
        if not self._boxes:
            return len(part.places), len(part.places)
        truths = [_only(self._truths[place], part.label) for place in part.places]
        counts = [int((~truth.ignore).sum()) for truth in truths]
        return sum(count > 0 for count in counts), sum(counts)

    def _figure(self, answers: Sequence[Answer], part: _Part) -> float:
        """AP50, or accuracy."""
        if not self._boxes:
            said = [int(np.argmax(answers[place])) for place in part.places]
            return float(np.mean(said == self._targets[part.places]))
        truths = [_only(self._truths[place], part.label) for place in part.places]
        chosen = [answers[place] for place in part.places]
        return ap50([a for a in chosen if isinstance(a, Detections)], truths)


def _only(truth: Truth, label: int | None) -> Truth:
    """The boxes of a class, or all. Answers of other classes are not looked at then."""
    if label is None:
        return truth
    mine = truth.labels == label
    return Truth(truth.boxes[mine], truth.labels[mine], truth.ignore[mine])
