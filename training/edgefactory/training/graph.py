"""What an ONNX graph costs: multiply-accumulates a picture, from its shapes alone."""

from __future__ import annotations

import math
from pathlib import Path

import onnx

from edgefactory.datasets.errors import InputError

_UNUSABLE = (
    OSError,
    KeyError,
    onnx.checker.ValidationError,
    onnx.shape_inference.InferenceError,
)

# Operators that multiply and add, and which of their inputs is the weight.
_WEIGHTS = {
    **dict.fromkeys(("Conv", "ConvInteger", "Gemm", "MatMul", "MatMulInteger"), 1),
    **dict.fromkeys(("QLinearConv", "QLinearMatMul"), 3),
}

Shapes = dict[str, list[int]]


def macs(path: Path) -> int:
    """Multiply-accumulates of the convolutions and matrix products for one picture.

    The batch axis counts as 1; a quantized graph counts as its float original. Raises InputError
    if the file is no ONNX graph with known shapes.
    """
    try:
        onnx.checker.check_model(path)
        model = onnx.shape_inference.infer_shapes(onnx.load(path), strict_mode=True)
        shapes = _shapes(model.graph)
        return sum(_cost(node, shapes) for node in model.graph.node)
    except _UNUSABLE as error:
        raise InputError(f"{path} is no ONNX graph with known shapes: {error!r}") from error


def _cost(node: onnx.NodeProto, shapes: Shapes) -> int:
    if node.op_type not in _WEIGHTS:
        return 0
    made = math.prod(shapes[node.output[0]][1:])
    weight = shapes[node.input[_WEIGHTS[node.op_type]]]
    if "Conv" in node.op_type:
        return made * math.prod(weight[1:])
    turned = any(a.name == "transB" and a.i for a in node.attribute)
    return made * weight[-1 if turned else -2]


def _shapes(graph: onnx.GraphProto) -> Shapes:
    """Every tensor's shape; a free axis counts as 1."""
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    for value in [*graph.input, *graph.value_info, *graph.output]:
        shapes[value.name] = [axis.dim_value or 1 for axis in value.type.tensor_type.shape.dim]
    return shapes
