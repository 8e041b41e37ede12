"""A model of any form that answers about one picture: by the graph contract, or as a teacher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from edge_runtime.contract import InputSpec, OperatingPoint, preprocess
from edgefactory.compress.answers import Answer, answer_in
from edgefactory.compress.engines import Session
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.onnx_sessions import first_line, ort_refusals
from edgefactory.datasets.teachers import Teacher
from edgefactory.training import evaluation as ev
from edgefactory.training.metrics import Detections

UInt8 = npt.NDArray[np.uint8]

LOWEST: Final = 0.001  # score of a detection; lower ones move no figure that is told


class Model(Protocol):
    """A loaded model."""

    @property
    def about(self) -> ev.Model:
        """What it is, and what it runs on."""

    @property
    def point(self) -> OperatingPoint | None:
        """The operating point that it brings along, if it does."""

    def answer(self, picture: UInt8) -> Answer:
        """About a picture uint8 [H,W,3]: detections in its pixels, probabilities [C] or an
        embedding [D]. Raises InputError when the model fails on it, or answers otherwise."""


@dataclass(frozen=True)
class ContractModel:
    """A graph of the contract in a session."""

    about: ev.Model
    session: Session
    input: InputSpec
    point: OperatingPoint | None = None

    def answer(self, picture: UInt8) -> Answer:
        """See `Model`."""
        pixels, place = preprocess(picture, self.input)
        try:
            outputs = self.session.run(np.ascontiguousarray(pixels[None]))
        except _failures() as error:
            size = f"{self.input.width}x{self.input.height}"
            raise InputError(
                f"{self.about.name} does not run on a picture of {size}: {first_line(error)}"
            ) from error
        return checked(answer_in(self.about.task, outputs, place, LOWEST), self.about)


@dataclass(frozen=True)
class TeacherModel:
    """A teacher: a graph of another maker, or several looks at a picture."""

    about: ev.Model
    teacher: Teacher
    point: OperatingPoint | None = None

    def answer(self, picture: UInt8) -> Answer:
        """See `Model`."""
        found = self.teacher.predict([picture])[0]
        if found.probabilities is not None:
            return checked(found.probabilities.astype(np.float64), self.about)
        said = Detections(
            found.boxes.astype(np.float64), found.scores.astype(np.float64), found.classes
        )
        return checked(said, self.about)


def _failures() -> tuple[type[Exception], ...]:
    """What the engines raise: OpenVINO and torch a RuntimeError, ONNX Runtime its own."""
    return (RuntimeError, *ort_refusals())


def checked(answer: Answer, about: ev.Model) -> Answer:
    """The answer, if it is about the classes that the model names. Raises InputError."""
    if about.task == "embedding":
        return answer
    if isinstance(answer, Detections):
        last = int(answer.labels.max(initial=0))
        wrong = f"the class number {last}" if last >= len(about.classes) else ""
    else:
        wrong = f"{len(answer)} probabilities" if len(answer) != len(about.classes) else ""
    if wrong:
        raise InputError(
            f"{about.name} answers with {wrong}, but {len(about.classes)} classes are named "
            f"({', '.join(about.classes[:5])}): name all of its classes in its order"
        )
    return answer
