"""Graphs that the benchmark must refuse, end, or tell apart."""

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ..models import squares_onnx


def _model(nodes: list[NodeProto], *initializers: TensorProto) -> ModelProto:
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 8, 8, 3])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "made", [image], [out], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _mean() -> list[NodeProto]:
    return [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["mean"], keepdims=0),
    ]


def _bytes(model: ModelProto) -> bytes:
    data: bytes = model.SerializeToString()
    return data


def _constant(name: str, value: object) -> TensorProto:
    return numpy_helper.from_array(np.asarray(value), name)


def endless_onnx() -> bytes:
    """A model that loads, and whose first run takes for ever."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["again"]),
            helper.make_node("Add", ["sum", "mean"], ["larger"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("sum", TensorProto.FLOAT, []),
        ],
        [
            helper.make_tensor_value_info("again", TensorProto.BOOL, []),
            helper.make_tensor_value_info("larger", TensorProto.FLOAT, []),
        ],
    )
    loop = helper.make_node("Loop", ["turns", "true", "mean"], ["out"], body=body)
    return _bytes(
        _model([*_mean(), loop], _constant("turns", np.int64(2**62)), _constant("true", True))
    )


def hungry_onnx() -> bytes:
    """A model of a few hundred bytes that asks for 4 TB."""
    shape = np.array([2**20, 2**20], np.int64)
    make = helper.make_node("ConstantOfShape", ["rows"], ["huge"])
    rows = helper.make_node("Mul", ["shape", "one"], ["rows"])
    one = helper.make_node("Cast", ["count"], ["one"], to=TensorProto.INT64)
    count = helper.make_node("Add", ["nothing", "unit"], ["count"])
    nothing = helper.make_node("Mul", ["mean", "zero"], ["nothing"])
    out = helper.make_node("ReduceMean", ["huge"], ["out"], keepdims=0)
    return _bytes(
        _model(
            [*_mean(), nothing, count, one, rows, make, out],
            _constant("shape", shape),
            _constant("zero", np.float32(0)),
            _constant("unit", np.float32(1)),
        )
    )


def external_onnx(*, nested: bool = False) -> bytes:
    """A model whose weight lies in another file; `nested`: in a constant of a subgraph."""
    weight = TensorProto(name="weight", data_type=TensorProto.FLOAT, dims=[1])
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../../etc/passwd")
    if not nested:
        add = helper.make_node("Add", ["mean", "weight"], ["out"])
        return _bytes(_model([*_mean(), add], weight))
    chosen = helper.make_node("If", ["true"], ["out"], then_branch=_branch(weight),
                              else_branch=_branch(weight))  # fmt: skip
    return _bytes(_model([*_mean(), chosen], _constant("true", True)))


def _branch(weight: TensorProto) -> GraphProto:
    constant = helper.make_node("Constant", [], ["chosen"], value=weight)
    out = helper.make_tensor_value_info("chosen", TensorProto.FLOAT, [1])
    return helper.make_graph([constant], "branch", [], [out])


def quantized_onnx() -> bytes:
    """A model that rounds its mean to eight bits."""
    pair = ["step", "zero"]
    nodes = [
        *_mean(),
        helper.make_node("QuantizeLinear", ["mean", *pair], ["small"]),
        helper.make_node("DequantizeLinear", ["small", *pair], ["out"]),
    ]
    return _bytes(_model(nodes, _constant("step", np.float32(1)), _constant("zero", np.int8(0))))


def free_size_onnx() -> bytes:
    """The squares detector with a free width."""
    model = onnx.load_from_string(squares_onnx())
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "W"
    return _bytes(model)


def float_input_onnx() -> bytes:
    """A model that takes numbers, not bytes."""
    taken = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 8, 8, 3])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, [])
    mean = helper.make_node("ReduceMean", ["image"], ["out"], keepdims=0)
    graph = helper.make_graph([mean], "made", [taken], [out])
    return _bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    )
