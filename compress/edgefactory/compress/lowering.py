"""The portable form, rewritten into what ONNX Runtime's CPU kernels are fast at. Exactly.

The kernels multiply UINT8 activations by INT8 weights. So each activation q becomes q + 128 with
the zero point 128, each convolution whose result is quantized again becomes one QLinearConv with
an INT32 bias, and the ReLU between becomes a lower bound of 128 on the bytes: rounding is
monotone and keeps 0, so the order of the two does not matter; a maximum over places is taken of
the bytes for the same reason. The input's bytes, minus 128 at scale 1 in the portable form, are
then the first layer's UINT8 input as they are.
"""

from __future__ import annotations

import numpy as np
from onnx import NodeProto, helper

from edgefactory.compress.graph import Graph, attributes, parse
from edgefactory.compress.portable import CENTRED, ROWS, check_portable

_ZERO = "zero_point.u8"
_OFFSET = 128


def lower(portable: bytes) -> bytes:
    """The ONNX model that decides as `portable` does, for ONNX Runtime's CPU kernels.

    Raises InputError when `portable` is not the portable form.
    """
    graph = parse(portable, "the portable INT8 model")
    check_portable(graph)
    graph.constant(_ZERO, np.asarray(_OFFSET, np.uint8))
    for node in list(graph.nodes):
        if node.op_type == "QuantizeLinear":
            _lower_activation(graph, node)
    for node in list(graph.nodes):
        if node.op_type == "MaxPool":
            _quantize_before(graph, node)
    for node in list(graph.nodes):
        if node.op_type == "Conv":
            _lower_convolution(graph, node)
    for node in list(graph.nodes):
        if node.op_type == "DequantizeLinear" and node.input[0] in graph.constants:
            _unpack(graph, node)
    return graph.to_bytes()


def _quantize_before(graph: Graph, pool: NodeProto) -> None:
    """Let the Q after a MaxPool come before it: rounding keeps the order of numbers."""
    quantize = graph.only_consumer(pool.output[0])
    if quantize is None or quantize.op_type != "QuantizeLinear" or len(pool.output) > 1:
        return
    data, result = pool.input[0], quantize.output[0]
    quantize.input[0], quantize.output[0] = data, f"{result}.before"
    pool.input[0], pool.output[0] = f"{result}.before", result


def _lower_activation(graph: Graph, quantize: NodeProto) -> None:
    """Let the Q and its DQs hold UINT8 with zero point 128."""
    quantize.input[2] = _ZERO
    for reader in graph.consumers(quantize.output[0]):
        if reader.op_type == "DequantizeLinear":
            reader.input[2] = _ZERO
    image = graph.inputs[0]
    if quantize.input[0] == CENTRED and graph.scalar(quantize.input[1]) == 1.0:
        graph.nodes.remove(quantize)
        rows = graph.producer(ROWS)
        if rows is not None:
            image = graph.add("Reshape", [image, rows.input[1]], "image.rows.u8").output[0]
        graph.nodes.append(
            helper.make_node(
                "Transpose", [image], list(quantize.output), name=quantize.name, perm=[0, 3, 1, 2]
            )
        )


def _lower_convolution(graph: Graph, conv: NodeProto) -> None:
    """Replace DQ -> Conv [-> Relu] -> Q by QLinearConv [-> Clip], where the pattern is there."""
    data, weight = graph.producer(conv.input[0]), graph.producer(conv.input[1])
    follower = graph.only_consumer(conv.output[0])
    relu = follower if follower is not None and follower.op_type == "Relu" else None
    quantize = graph.only_consumer(relu.output[0]) if relu is not None else follower
    if (
        data is None
        or weight is None
        or quantize is None
        or {data.op_type, weight.op_type} != {"DequantizeLinear"}
        or quantize.op_type != "QuantizeLinear"
    ):
        return
    # A zero point of its own: ONNX Runtime renames it with the weights where it rewrites both.
    zero = graph.constant(f"{conv.name}.zero_point.s8", np.asarray(0, np.int8))
    inputs = [data.input[0], data.input[1], _ZERO, weight.input[0], weight.input[1], zero]
    inputs += [quantize.input[1], _ZERO]
    if len(conv.input) > 2:
        inputs.append(_bias(graph, conv, data, weight))
    result = quantize.output[0]
    raw = f"{result}.raw" if relu is not None else result
    graph.nodes.remove(quantize)
    lowered = graph.add("QLinearConv", inputs, raw, **attributes(conv))
    lowered.name = conv.name
    if relu is not None:
        graph.add("Clip", [raw, _ZERO], result)


def _bias(graph: Graph, conv: NodeProto, data: NodeProto, weight: NodeProto) -> str:
    """The bias as INT32 in units of input scale x weight scale."""
    steps = np.asarray(graph.constants[data.input[1]], np.float64) * np.asarray(
        graph.constants[weight.input[1]], np.float64
    )
    whole = np.rint(np.asarray(graph.constants[conv.input[2]], np.float64) / steps)
    return graph.constant(f"{conv.name}.bias.s32", whole.astype(np.int32))


def _unpack(graph: Graph, dequantize: NodeProto) -> None:
    """Store the weights of a layer that stays in float as float: same numbers, no work a run."""
    whole, scale = (graph.constants[name] for name in dequantize.input[:2])
    shape = [1] * whole.ndim
    if scale.ndim:
        shape[attributes(dequantize).get("axis", 1)] = -1
    weights = whole.astype(np.float32) * scale.astype(np.float32).reshape(shape)
    graph.nodes.remove(dequantize)
    graph.constant(dequantize.output[0], weights)
