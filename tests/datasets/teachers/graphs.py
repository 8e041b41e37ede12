"""Small graphs whose answers are known, in every form that is recognised."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[np.generic]

Shape = list[str | int]
NHWC: Shape = ["N", "H", "W", 3]
NCHW: Shape = ["N", 3, "H", "W"]

_TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "uint8": TensorProto.UINT8}


def constant_graph(
    outputs: Mapping[str, Array],
    shape: Shape | None = None,
    kind: str = "float32",
) -> bytes:
    """A graph that answers `outputs` whatever it sees; its input has `shape` and `kind`."""
    nodes = [
        helper.make_node("Cast", ["image"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["real"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
    ]
    constants: list[onnx.TensorProto] = [numpy_helper.from_array(np.array(0, np.float32), "zero")]
    values = []
    for name, value in outputs.items():
        tensor = _TYPES[value.dtype.name]
        constants.append(numpy_helper.from_array(value, f"{name}_fixed"))
        nodes.append(helper.make_node("Cast", ["nothing"], [f"{name}_zero"], to=tensor))
        nodes.append(helper.make_node("Add", [f"{name}_zero", f"{name}_fixed"], [name]))
        values.append(helper.make_tensor_value_info(name, tensor, list(value.shape)))
    image = helper.make_tensor_value_info("image", _TYPES[kind], shape or NCHW)
    return serialized(nodes, [image], values, constants)


def means_graph() -> bytes:
    """A classifier of three classes whose scores are the means of its input's channels [N,3]."""
    nodes = [helper.make_node("ReduceMean", ["image"], ["scores"], axes=[2, 3], keepdims=0)]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, "H", "W"])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 3])
    return serialized(nodes, [image], [scores], [])


def serialized(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    constants: list[onnx.TensorProto],
) -> bytes:
    """The model of these parts."""
    graph = helper.make_graph(nodes, "test", inputs, outputs, constants)
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    content: bytes = model.SerializeToString()
    return content


def saved(path: Path, content: bytes) -> Path:
    """`content` in the file `path`."""
    path.write_bytes(content)
    return path


def grey(width: int = 200, height: int = 100) -> NDArray[np.uint8]:
    """A grey picture."""
    return np.full((height, width, 3), 128, np.uint8)
