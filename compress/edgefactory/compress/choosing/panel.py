"""The pictures that attempts are judged on, and what each says about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from edge_runtime.contract import digest
from edgefactory.compress import engines
from edgefactory.compress.answers import Answer
from edgefactory.compress.choosing.document import Certified
from edgefactory.compress.choosing.executable import Executable
from edgefactory.compress.models import ContractModel
from edgefactory.datasets import Item, Progress, Snapshot, Split, load_picture
from edgefactory.datasets.errors import InputError
from edgefactory.training import (
    Checkpoint,
    Detections,
    Truth,
    accuracy,
    accuracy_difference,
    ap50,
    ap50_difference,
)
from edgefactory.training import evaluation as ev
from edgefactory.training.metrics import Floats, Integers

_DRAWS: Final = 2000  # of the bootstrap
_METRICS: Final = {"detection": "ap50", "classification": "accuracy"}


@dataclass(frozen=True)
class Panel:
    """A split's pictures that there is something to say of."""

    folder: Path
    items: Sequence[Item]
    checkpoint: Checkpoint
    split: Split

    @property
    def metric(self) -> str:
        """What the models are judged by."""
        return _METRICS[self.checkpoint.task]

    def ask(self, model: Executable, what: str, progress: Progress) -> list[Answer]:
        """What a model says about each picture. Raises InputError when it does not run."""
        files = {name: digest(content) for name, content in sorted(model.files.items())}
        about = ev.Model(
            form="onnx",
            name=what,
            task=self.checkpoint.task,
            classes=self.checkpoint.classes,
            files_sha256=files,
            engine=model.engine,
            engine_version=engines.engine_version(model.engine),
            precision=model.precision,
            threads=1,
        )
        session = engines.load(model.engine, model.files, model.main, model.precision, 1)
        loaded = ContractModel(about, session, self.checkpoint.input)
        answers = []
        for done, item in enumerate(self.items):
            progress(done, len(self.items), f"{what} on {self.split}")
            answers.append(loaded.answer(load_picture(self.folder, item)))
        return answers

    def figure(self, answers: Sequence[Answer]) -> float:
        """The metric of the answers, 0..1."""
        if self.metric == "ap50":
            return ap50(_boxes(answers), self._truths())
        return accuracy(_table(answers), self._targets())

    def certify(
        self, name: str, answers: Sequence[Answer], reference: Sequence[Answer], margin: float
    ) -> Certified:
        """How the answers compare with the reference's, in pairs; crops of a frame are one draw."""
        if self.metric == "ap50":
            found = ap50_difference(_boxes(answers), _boxes(reference), self._truths(), _DRAWS, 0)
        else:
            found = accuracy_difference(
                _table(answers),
                _table(reference),
                self._targets(),
                _DRAWS,
                groups=self._frames(),
            )
        interval = (found.lo, found.hi)
        value = self.figure(answers)
        return Certified(name, value, found.value, interval, len(self.items), margin)

    def _frames(self) -> Integers:
        """Which of the frames each picture is of, 0..F-1; one of its own where it is of none."""
        keys = [
            (item.source, str(place if item.frame is None else item.frame))
            for place, item in enumerate(self.items)
        ]
        numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        return np.asarray([numbers[key] for key in keys], np.int64)

    def _numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.checkpoint.classes)}

    def _truths(self) -> list[Truth]:
        return [ev.truth_of(item, self._numbers()) for item in self.items]

    def _targets(self) -> Integers:
        return np.asarray([ev.class_of(item, self._numbers()) for item in self.items], np.int64)


def panel(folder: Path, data: Snapshot, checkpoint: Checkpoint, split: Split) -> Panel:
    """The pictures of `split`. Raises InputError when there is none with a label."""
    items = [i for i in data.split(split) if data.task == "detection" or ev.has_class(i)]
    if not items:
        raise InputError(
            f"{folder} has no labelled picture in its {split} split, so nothing can be judged; "
            "make one with `edgefactory data split`"
        )
    return Panel(folder, items, checkpoint, split)


def _boxes(answers: Sequence[Answer]) -> list[Detections]:
    return [answer for answer in answers if isinstance(answer, Detections)]


def _table(answers: Sequence[Answer]) -> Floats:
    return np.asarray(answers, np.float64)
