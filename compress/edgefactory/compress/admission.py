"""What a conversion takes, and the one line for what it does not take: the same for each target."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto

from edgefactory.datasets.errors import InputError

UInt8 = npt.NDArray[np.uint8]

_KNOWN_DOMAINS = ("", "ai.onnx")
_NO_RULE = re.compile(r"(?:No conversion rule found for|Conversion is failed for)[^:]*: (\S+)")


def admit(content: bytes, name: str) -> tuple[int, int]:
    """Width and height of the input of an ONNX model that may be converted.

    Raises InputError, with a way out, when `content` is no whole ONNX model, its input is not
    uint8 [N,H,W,3] with H and W fixed, or it holds an operation that is not ONNX's own.
    """
    try:
        onnx.checker.check_model(content)
    except (onnx.checker.ValidationError, ValueError) as error:
        line = str(error).strip().splitlines()[0]
        raise InputError(f"{name} is not a valid ONNX model: {line}") from error
    model = onnx.load_from_string(content)
    for node in model.graph.node:
        if node.domain not in _KNOWN_DOMAINS:
            raise InputError(
                f"{name} holds {node.domain}.{node.op_type} {node.name!r}, which is not an "
                "operation of ONNX: replace it in the network by ONNX's own"
            )
    weights = {tensor.name for tensor in model.graph.initializer}
    taken = [entry for entry in model.graph.input if entry.name not in weights]
    if len(taken) != 1:
        raise InputError(f"{name} takes {len(taken)} inputs; expected one, uint8 [N,H,W,3]")
    kind = taken[0].type.tensor_type
    shape = [axis.dim_value or None for axis in kind.shape.dim]
    if len(shape) != 4 or shape[3] != 3 or kind.elem_type != TensorProto.UINT8:
        spelt = f"{TensorProto.DataType.Name(kind.elem_type).lower()} {_spelt(shape)}"
        raise InputError(
            f"{name} takes {spelt}; expected uint8 [N,H,W,3]: put the normalisation into the graph"
        )
    height, width = shape[1:3]
    if height is None or width is None:
        raise InputError(
            f"{name} takes {_spelt(shape)}: only the first axis may be free; export it with a "
            "fixed height and width"
        )
    return width, height


def admit_pictures(pictures: Sequence[UInt8], size: tuple[int, int]) -> None:
    """Raise InputError unless there are pictures to calibrate on, all of `size` (width, height)."""
    if len(pictures) == 0:
        raise InputError(
            "there is no picture to calibrate on: the snapshot's train split is empty; "
            "label more footage or raise `calibration`"
        )
    for number, picture in enumerate(pictures):
        if picture.shape != (size[1], size[0], 3) or picture.dtype != np.uint8:
            raise InputError(
                f"calibration picture {number} is {picture.dtype} {_spelt(picture.shape)}; the "
                f"model takes uint8 {_spelt((size[1], size[0], 3))}: prepare the pictures by its "
                "own input specification"
            )


def unsupported(said: str, content: bytes) -> str | None:
    """The operation that OpenVINO `said` it lacks, with its first layer in the ONNX model
    `content`; None when it said something else."""
    found = _NO_RULE.search(said)
    if found is None:
        return None
    operation = found[1].rstrip(",").rpartition("-")[0] or found[1]
    for node in onnx.load_from_string(content).graph.node:
        if node.op_type == operation.rpartition(".")[2]:
            return f"{node.op_type} {node.name!r}"
    return operation


def _spelt(shape: Sequence[int | None]) -> str:
    return f"[{', '.join('?' if axis is None else str(axis) for axis in shape)}]"
