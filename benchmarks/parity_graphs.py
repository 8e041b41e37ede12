"""ONNX graphs edited as protocol buffers: the spoiling that `parity_faults` does to them."""

import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from edgefactory.compress.parity import Form

Rng = np.random.Generator

MIDDLE: Final = 128.0  # grey level that networks of ours take as 0
SPREAD: Final = 64.0  # and grey levels that they take as 1
HEAVY: Final = ("Conv", "Gemm", "MatMul")


def edited(form: Form, model: onnx.ModelProto) -> Form:
    """The form with this graph."""
    return replace(form, files={form.main: model.SerializeToString()})


def initializer(model: onnx.ModelProto, name: str) -> onnx.TensorProto:
    """The constant of that name."""
    found = next(tensor for tensor in model.graph.initializer if tensor.name == name)
    assert isinstance(found, onnx.TensorProto)
    return found


def set_values(tensor: onnx.TensorProto, values: npt.NDArray[Any]) -> None:
    """Give a constant other values, of its own type."""
    made = numpy_helper.from_array(values.astype(numpy_helper.to_array(tensor).dtype), tensor.name)
    tensor.CopyFrom(made)


def set_attribute(node: onnx.NodeProto, name: str, value: Any) -> None:
    """Set or replace an attribute."""
    for old in [one for one in node.attribute if one.name == name]:
        node.attribute.remove(old)
    node.attribute.append(helper.make_attribute(name, value))


def floating(form: Form) -> Form:
    """The form, its input normalised already."""
    model = onnx.load_from_string(form.content)
    graph, nodes = model.graph, list(model.graph.node)
    first = next(node for node in nodes if node.op_type in HEAVY)
    folded = not any(node.op_type == "Sub" for node in nodes[: nodes.index(first)])
    del graph.node[: nodes.index(first)]
    graph.node[0].input[0] = "image"
    height, width = (graph.input[0].type.tensor_type.shape.dim[at].dim_value for at in (1, 2))
    batch = graph.input[0].type.tensor_type.shape.dim[0].dim_param or "N"
    shape = [batch, 3, height, width]
    graph.input[0].CopyFrom(helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, shape))
    del graph.value_info[:]
    if folded:  # what the first layer does to levels, done to normalised ones
        weight, bias = (initializer(model, name) for name in first.input[1:3])
        w, b = numpy_helper.to_array(weight), numpy_helper.to_array(bias)
        set_values(weight, w * SPREAD)
        set_values(bias, b + MIDDLE * w.sum(axis=(1, 2, 3)))
    return edited(form, model)


def without_peaks(form: Form) -> Form:
    """The detector's graph with every cell a candidate."""
    model = onnx.load_from_string(form.content)
    where = next(node for node in model.graph.node if node.op_type == "Where")
    for node in model.graph.node:
        for at, name in enumerate(node.input):
            if name == where.output[0]:
                node.input[at] = where.input[1]
    model.graph.node.remove(where)
    return edited(form, model)


def regrid(node: onnx.NodeProto, variety: int) -> None:
    """Let a Resize mean what it means in another opset, or on another grid."""
    if variety == 0:  # opset 10's linear mode
        set_attribute(node, "mode", "linear")
        set_attribute(node, "coordinate_transformation_mode", "asymmetric")
    elif variety == 1:
        set_attribute(node, "coordinate_transformation_mode", "align_corners")
    else:
        set_attribute(node, "nearest_mode", "ceil")


def weight_tensors(model: onnx.ModelProto) -> dict[str, str]:
    """The weight tensor of each layer, through DequantizeLinear."""
    maker = {out: node for node in model.graph.node for out in node.output}
    known = {tensor.name for tensor in model.graph.initializer}
    found = {}
    for node in model.graph.node:
        at = {"Conv": 1, "Gemm": 1, "QLinearConv": 3}.get(node.op_type)
        if at is None:
            continue
        name = node.input[at]
        name = name if name in known else maker[name].input[0]
        found[node.name] = name
    return found


def spoilt(values: npt.NDArray[Any], rng: Rng) -> npt.NDArray[Any]:
    """From 0.5% to a third of the weights: a run zeroed, a run from elsewhere, or signs turned."""
    flat = values.copy().reshape(-1)
    length = max(2, int(flat.size * 10 ** rng.uniform(-2.3, -0.5)))
    at = int(rng.integers(flat.size - length + 1))
    variety = int(rng.integers(3))
    if variety == 0:
        flat[at : at + length] = 0
    elif variety == 1:
        flat[at : at + length] = np.roll(flat, length)[at : at + length]
    else:  # the sign bit of some of them
        chosen = rng.choice(flat.size, length, replace=False)
        flat[chosen] = (
            np.clip(-flat[chosen].astype(np.float64), -127, 127)
            if flat.dtype == np.int8
            else -flat[chosen]
        )
    return flat.reshape(values.shape)


def read_as_signed(model: onnx.ModelProto, quantize: onnx.NodeProto) -> list[str]:
    """Let one activation be written as UINT8 of zero point 0, and read as INT8: 200 is -56."""
    graph = model.graph
    scale = initializer(model, quantize.input[1])
    half = (numpy_helper.to_array(scale) * (127 / 255)).astype(np.float32)
    graph.initializer.append(numpy_helper.from_array(half, "half"))
    graph.initializer.append(numpy_helper.from_array(np.asarray(0, np.uint8), "none.u8"))
    dequantize = next(n for n in graph.node if n.input and n.input[0] == quantize.output[0])
    quantize.input[1], quantize.input[2] = "half", "none.u8"
    signed = f"{quantize.output[0]}.signed"
    cast = helper.make_node("Cast", [quantize.output[0]], [signed], name="signed", to=3)
    graph.node.insert(list(graph.node).index(dequantize), cast)
    dequantize.input[0], dequantize.input[1] = signed, "half"
    return readers(model, dequantize.output[0])


def wrapped(model: onnx.ModelProto, quantize: onnx.NodeProto) -> list[str]:
    """The same, done to the numbers after they were read: an engine that is wrong, not a file."""
    graph = model.graph
    step = float(numpy_helper.to_array(initializer(model, quantize.input[1])))
    dequantize = next(n for n in graph.node if n.input and n.input[0] == quantize.output[0])
    after = dequantize.output[0]
    dequantize.output[0] = f"{after}.unsigned"
    for name, value in (("most", 63.5 * step), ("turn", 128 * step)):
        graph.initializer.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
    at = list(graph.node).index(dequantize) + 1
    for node in (
        helper.make_node("Where", ["over", "low", dequantize.output[0]], [after], name="wrap"),
        helper.make_node("Sub", [dequantize.output[0], "turn"], ["low"], name="low"),
        helper.make_node("Greater", [dequantize.output[0], "most"], ["over"], name="over"),
    ):
        graph.node.insert(at, node)
    return readers(model, after)


def readers(model: onnx.ModelProto, tensor: str) -> list[str]:
    """The names of the nodes that read a tensor."""
    return [node.name for node in model.graph.node if tensor in node.input]


def rename_classes(
    model: onnx.ModelProto, output: str, order: npt.NDArray[np.int64], *, gather: bool
) -> str:
    """Let `output` be looked up in `order` (`gather`), or be put into that order; the name of the
    node that made it."""
    graph = model.graph
    maker = next(node for node in graph.node if output in node.output)
    raw = f"{output}.raw"
    for node in graph.node:
        for side in (node.input, node.output):
            for at, one in enumerate(side):
                if one == output:
                    side[at] = raw
    graph.initializer.append(numpy_helper.from_array(order.astype(np.int64), "order"))
    inputs = ["order", raw] if gather else [raw, "order"]
    axis = 0 if gather else 1
    graph.node.append(helper.make_node("Gather", inputs, [output], name="renamed", axis=axis))
    return str(maker.name)


def mean_of_corner(model: onnx.ModelProto, side: int) -> str:
    """ReduceMean as an AveragePool that counts its padding, as opset 7 let it; the node's name."""
    graph = model.graph
    node = next(node for node in graph.node if node.op_type == "ReduceMean")
    pool = helper.make_node(
        "AveragePool", [node.input[0]], ["pooled.wide"], name="pooled", strides=[side, side],
        kernel_shape=[side, side], pads=[side // 2] * 2 + [0, 0], count_include_pad=1,
    )  # fmt: skip
    flat = helper.make_node("Flatten", ["pooled.wide"], list(node.output), name=node.name, axis=1)
    at = list(graph.node).index(node)
    graph.node.remove(node)
    graph.node.insert(at, flat)
    graph.node.insert(at, pool)
    return str(node.name)


def ir_weights(xml: bytes) -> dict[str, tuple[int, int]]:
    """Where the weights of each convolution and matrix product lie in the .bin: from and to."""
    root = ET.fromstring(xml)  # noqa: S314 -- our own file, made just now
    layers = {layer.get("id"): layer for layer in root.iter("layer")}
    sources = {
        (edge.get("to-layer"), edge.get("to-port")): edge.get("from-layer")
        for edge in root.iter("edge")
    }
    found = {}
    for number, layer in layers.items():
        if layer.get("type") in ("Convolution", "MatMul"):
            data = layers[sources[number, "1"]].find("data")
            if data is not None and data.get("offset"):
                start, size = (int(str(data.get(key))) for key in ("offset", "size"))
                name = str(layer.get("name")).removesuffix("/WithoutBiases")
                found[name] = (start, start + size)
    return found
