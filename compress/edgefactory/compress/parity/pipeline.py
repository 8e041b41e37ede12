"""A way from picture to decisions that can be looked into: what feeds the graph, the forms that
the graph has taken, and what reads its outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from edge_runtime.contract import Engine, InputSpec, Outputs, Placement, Precision, Task, preprocess
from edgefactory.compress import engines
from edgefactory.compress.answers import Answer, answer_in
from edgefactory.compress.models import LOWEST

UInt8 = npt.NDArray[np.uint8]
Fed = npt.NDArray[Any]
Prepare = Callable[[UInt8], tuple[Fed, Placement]]
Read = Callable[[Outputs, Placement], Answer]
FormStage = Literal["onnx", "openvino", "quantized"]


@dataclass(frozen=True)
class Form:
    """One form that a graph has taken, with the engine that runs it. `name` is for people."""

    stage: FormStage
    name: str
    files: Mapping[str, bytes]
    main: str
    engine: Engine
    precision: Precision = "f32"

    @property
    def content(self) -> bytes:
        """The file that the engine opens."""
        return self.files[self.main]

    @property
    def is_onnx(self) -> bool:
        """Whether that is an ONNX graph."""
        return self.main.endswith(".onnx")

    @cached_property
    def session(self) -> engines.Session:
        """It, loaded, on one thread. Errors as `engines.load`."""
        return engines.load(self.engine, self.files, self.main, self.precision, 1)


@dataclass(frozen=True)
class Pipeline:
    """`prepare` gives what the graph is fed, without the batch's axis, and where the picture lies
    in it. The last of `forms` is the one that decides; those before it are what it was made from,
    in order. `input` is the specification that `prepare` is said to follow, where one is known."""

    task: Task
    prepare: Prepare
    forms: Sequence[Form]
    read: Read
    input: InputSpec | None = None

    def answer(self, picture: UInt8) -> Answer:
        """What it decides about a picture uint8 [H,W,3]."""
        fed, place = self.prepare(picture)
        return self.read(self.forms[-1].session.run(np.ascontiguousarray(fed[None])), place)


def contract_pipeline(task: Task, spec: InputSpec, forms: Sequence[Form]) -> Pipeline:
    """The pipeline of a graph of the contract: `preprocess` before it, nothing to decode after."""
    return Pipeline(
        task,
        lambda picture: preprocess(picture, spec),
        forms,
        lambda outputs, place: answer_in(task, outputs, place, LOWEST),
        spec,
    )
