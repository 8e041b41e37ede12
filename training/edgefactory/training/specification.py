"""What a bare graph says of itself: its task, its classes and the input that it wants.

An ONNX file carries it in `metadata_props`; OpenVINO copies those into an IR, under `framework` of
its `rt_info`. So a graph that has lost its folder can still be run and judged rightly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec

from edge_runtime.contract import InputSpec, Task
from edgefactory.datasets.errors import InputError

PREFIX: Final = "edgefactory."
TASK, CLASSES, INPUT = KEYS = (f"{PREFIX}task", f"{PREFIX}classes", f"{PREFIX}input")

T = TypeVar("T")


@dataclass(frozen=True)
class Specification:
    """A graph by the contract: what must come in, and what the class numbers mean."""

    task: Task
    classes: tuple[str, ...]
    input: InputSpec

    def properties(self) -> dict[str, str]:
        """As a graph's properties."""
        return {
            TASK: self.task,
            CLASSES: msgspec.json.encode(self.classes).decode(),
            INPUT: msgspec.json.encode(self.input, order="deterministic").decode(),
        }


def specification_of(properties: Mapping[str, str], name: str) -> Specification | None:
    """The specification among a graph's properties; None where it carries none.

    Raises InputError, naming the graph `name`, when it is incomplete or not as it must be.
    """
    if not any(key in properties for key in KEYS):
        return None
    missing = [key for key in KEYS if key not in properties]
    if missing:
        raise InputError(f"{name} carries no {missing[0]} beside its others; export it again")
    try:
        return Specification(
            msgspec.convert(properties[TASK], Task),
            _parsed(properties[CLASSES], tuple[str, ...]),
            _parsed(properties[INPUT], InputSpec),
        )
    except msgspec.MsgspecError as error:
        raise InputError(f"{name} carries a wrong specification: {error}") from error


def _parsed(text: str, kind: type[T]) -> T:
    return msgspec.json.decode(text, type=kind)
