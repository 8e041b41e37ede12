"""A graph says of itself what it is, and half a statement is refused."""

from __future__ import annotations

import pytest

from edge_runtime.contract import InputSpec
from edgefactory.datasets.errors import InputError
from edgefactory.training.specification import (
    CLASSES,
    INPUT,
    TASK,
    Specification,
    specification_of,
)

SAYS = Specification("detection", ("person", "Tür"), InputSpec(384, 288, fit="letterbox"))


def test_what_is_written_is_read() -> None:
    assert specification_of(SAYS.properties(), "m.onnx") == SAYS
    assert specification_of({"author": "somebody"}, "m.onnx") is None


@pytest.mark.parametrize("key", [TASK, CLASSES, INPUT])
def test_a_missing_part_is_named(key: str) -> None:
    properties = SAYS.properties()
    del properties[key]
    with pytest.raises(InputError, match=rf"m\.onnx carries no {key} beside"):
        specification_of(properties, "m.onnx")


@pytest.mark.parametrize(
    ("key", "value"),
    [(TASK, "cooking"), (CLASSES, "person"), (INPUT, '{"width": 0, "height": 5}')],
)
def test_a_wrong_part_is_refused(key: str, value: str) -> None:
    with pytest.raises(InputError, match=r"m\.onnx carries a wrong specification"):
        specification_of({**SAYS.properties(), key: value}, "m.onnx")
