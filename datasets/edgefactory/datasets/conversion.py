"""From the person teacher's frozen TensorFlow graph to a portable ONNX detector.

The graph is an SSDLite detector of the TensorFlow object detection API. It is cut after the
picture was scaled to 300x300 and before the post-processing: what remains between is convolutions
(`Conv2D`, `DepthwiseConv2dNative`), what is folded into them (`FusedBatchNorm`, `BiasAdd`), `Relu6`
and `Add`. Around these the graph contract is rebuilt in ONNX operators: uint8 NHWC in,
normalisation, anchors, box decoding, the best K boxes out. Overlapping boxes are *not* suppressed
inside: the tiles' results have to be merged outside anyway (`edgefactory.datasets.teacher`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper, numpy_helper

from edgefactory.datasets.errors import InputError
from edgefactory.datasets.graphdef import Node, read_graph

SIDE: Final = 300  # pixels; the anchors and the shapes of the graph are for this size
TOP_BOXES: Final = 200  # boxes a picture that leave the graph, before suppression
_LEVELS: Final = 6
_PERSON: Final = 1  # class 0 is the background
_BODY_INPUT: Final = "FeatureExtractor/MobilenetV2/MobilenetV2/input"
_OPSET: Final = 17

Floats = NDArray[np.float32]


def convert_teacher(graph: bytes) -> bytes:
    """Convert the bytes of `frozen_inference_graph.pb` into the bytes of an ONNX model.

    Input `image` uint8 [N,300,300,3] RGB; outputs `boxes` f32 [N,K,4] (xyxy in pixels of the
    input), `scores` f32 [N,K] in falling order, `labels` i64 [N,K] (all 0: person), K = 200,
    not yet suppressed. Raises `InputError` on any graph that is not this detector.
    """
    nodes = read_graph(graph)
    builder = Builder(nodes)
    builder.emit("Cast", ["image"], "image_f32", to=TensorProto.FLOAT)
    builder.emit("Transpose", ["image_f32"], "image_nchw", perm=[0, 3, 1, 2])
    scale = builder.constant("input_scale", builder.value("Preprocessor/mul/x"))
    shift = builder.constant("input_shift", builder.value("Preprocessor/sub/y"))
    builder.emit("Mul", ["image_nchw", scale], "image_scaled")
    builder.emit("Sub", ["image_scaled", shift], "image_normal")
    builder.done[_BODY_INPUT] = Tensor("image_normal", SIDE, 3)
    boxes, logits, anchors = _heads(builder)
    _decode(builder, boxes, logits, np.concatenate(anchors))
    return _model(builder)


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of the ONNX graph: its name, height = width, and channels."""

    name: str
    side: int
    channels: int


@dataclass(slots=True)
class Builder:
    """Collects ONNX nodes while it walks the TensorFlow graph from its heads to its input."""

    source: Mapping[str, Node]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    done: dict[str, Tensor] = field(default_factory=dict)

    def emit(self, operation: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operation, inputs, [output], output, **attributes))
        return output

    def constant(self, name: str, value: ArrayLike) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def node(self, name: str) -> Node:
        """The node that computes `name`, looking through `Identity`."""
        for _ in range(8):
            found = self.source.get(name.removeprefix("^").removesuffix(":0"))
            if found is None:
                raise InputError(f"graph: no node {name}; expected the SSDLite person detector")
            if found.operation != "Identity" or found.name in self.done:
                return found
            name = found.inputs[0]
        raise InputError(f"graph: {name} is behind too many Identity nodes")

    def value(self, name: str) -> Floats:
        return self.node(name).tensor().astype(np.float32)

    def build(self, name: str) -> Tensor:
        """The ONNX tensor for the TensorFlow tensor `name`, emitting what it needs first."""
        pending = [name]
        while pending:
            node = self.node(pending[-1])
            missing = [n for n in _data_inputs(node) if self.node(n).name not in self.done]
            if node.name in self.done or not missing:
                pending.pop()
                if node.name not in self.done:
                    self.done[node.name] = _translate(self, node)
            elif len(pending) > len(self.source):
                raise InputError(f"graph: {node.name} depends on itself")
            else:
                pending.append(missing[0])
        return self.done[self.node(name).name]


def _data_inputs(node: Node) -> tuple[str, ...]:
    """The inputs that carry pictures, not weights."""
    if node.operation in ("Conv2D", "DepthwiseConv2dNative", "FusedBatchNorm", "BiasAdd", "Relu6"):
        return node.inputs[:1]
    if node.operation == "Add":
        return node.inputs[:2]
    raise InputError(f"graph: cannot convert {node.operation} ({node.name})")


def _translate(builder: Builder, node: Node) -> Tensor:
    inputs = [builder.done[builder.node(name).name] for name in _data_inputs(node)]
    first = inputs[0]
    if node.operation in ("Conv2D", "DepthwiseConv2dNative"):
        return _convolution(builder, node, first)
    if node.operation in ("FusedBatchNorm", "BiasAdd"):
        _fold(builder, node, first)
        return first
    if node.operation == "Relu6":
        low = builder.constant(f"{node.name}/low", np.float32(0))
        high = builder.constant(f"{node.name}/high", np.float32(6))
        builder.emit("Clip", [first.name, low, high], node.name)
    else:
        if (first.side, first.channels) != (inputs[1].side, inputs[1].channels):
            raise InputError(f"graph: {node.name} adds tensors of different shapes")
        builder.emit("Add", [first.name, inputs[1].name], node.name)
    return Tensor(node.name, first.side, first.channels)


def _convolution(builder: Builder, node: Node, data: Tensor) -> Tensor:
    """One convolution without its bias; TensorFlow's SAME padding puts the odd pixel last."""
    weights = builder.value(node.inputs[1])
    strides, dilations = node.integers("strides"), node.integers("dilations")
    known = node.text("data_format") == "NHWC" and dilations == (1, 1, 1, 1)
    if not known or node.text("padding") != "SAME" or weights.ndim != 4:
        raise InputError(f"graph: {node.name} is not an undilated NHWC convolution with SAME")
    kernel, stride = weights.shape[0], strides[1]
    if weights.shape[1] != kernel or strides != (1, stride, stride, 1) or stride not in (1, 2):
        raise InputError(f"graph: {node.name} has kernel {weights.shape} and strides {strides}")
    if weights.shape[2] != data.channels:
        raise InputError(f"graph: {node.name} expects {weights.shape[2]} channels")
    group = 1
    if node.operation == "DepthwiseConv2dNative":
        group = data.channels
        weights = weights.transpose(2, 3, 0, 1).reshape(-1, 1, kernel, kernel)
    else:
        weights = weights.transpose(3, 2, 0, 1)
    side = -(-data.side // stride)
    total = max((side - 1) * stride + kernel - data.side, 0)
    before, after = total // 2, total - total // 2
    weight = builder.constant(f"{node.name}/weight", weights)
    bias = builder.constant(f"{node.name}/bias", np.zeros(weights.shape[0], np.float32))
    builder.emit(
        "Conv",
        [data.name, weight, bias],
        node.name,
        kernel_shape=[kernel, kernel],
        strides=[stride, stride],
        pads=[before, before, after, after],
        group=group,
    )
    return Tensor(node.name, side, weights.shape[0])


def _fold(builder: Builder, node: Node, data: Tensor) -> None:
    """Fold a batch normalisation or a bias into the convolution right before it."""
    weight, bias = builder.constants[-2:]
    if weight.name != f"{data.name}/weight" or builder.nodes[-1].name != data.name:
        raise InputError(f"graph: {node.name} does not follow a convolution directly")
    weights, offset = numpy_helper.to_array(weight), numpy_helper.to_array(bias)
    values = [builder.value(name) for name in node.inputs[1:]]
    if any(value.shape != offset.shape for value in values):
        raise InputError(f"graph: {node.name} does not fit {data.channels} channels")
    if node.operation == "BiasAdd":
        offset = offset + values[0]
    else:
        gamma, beta, mean, variance = values
        factor = gamma / np.sqrt(variance + np.float32(node.number("epsilon")))
        weights = weights * factor[:, None, None, None]
        offset = (offset - mean) * factor + beta
    del builder.constants[-2:]
    builder.constant(weight.name, weights.astype(np.float32))
    builder.constant(bias.name, offset.astype(np.float32))


def _heads(builder: Builder) -> tuple[list[str], list[str], list[Floats]]:
    """The six levels' box codes [N,A,4], person logits [N,A,2], and anchors [A,4]."""
    boxes, logits, anchors = [], [], []
    for level in range(_LEVELS):
        prefix = f"BoxPredictor_{level}"
        code = builder.build(f"{prefix}/BoxEncodingPredictor/BiasAdd")
        score = builder.build(f"{prefix}/ClassPredictor/BiasAdd")
        grid = _anchors(builder, level, code.side)
        per_cell = len(grid) // code.side**2
        if (code.channels, score.channels, score.side) != (4 * per_cell, 2 * per_cell, code.side):
            raise InputError(f"graph: {prefix} does not predict {per_cell} boxes of 2 classes")
        boxes.append(_rows(builder, code, 4))
        logits.append(_rows(builder, score, 2))
        anchors.append(grid)
    return boxes, logits, anchors


def _rows(builder: Builder, data: Tensor, columns: int) -> str:
    """[N, A*columns, side, side] to [N, side*side*A, columns], in TensorFlow's order."""
    shape = builder.constant(f"{data.name}/rows", np.array([0, -1, columns], np.int64))
    builder.emit("Transpose", [data.name], f"{data.name}/nhwc", perm=[0, 2, 3, 1])
    return builder.emit("Reshape", [f"{data.name}/nhwc", shape], f"{data.name}/flat")


def _anchors(builder: Builder, level: int, side: int) -> Floats:
    """Anchors (centre y, centre x, height, width; 0..1) of a level, scales as in the graph."""
    prefix = "MultipleGridAnchorGenerator"
    suffix = f"_{level}" if level else ""
    scales = builder.value(f"{prefix}/truediv_{14 + level}/x")
    roots = np.sqrt(builder.value(f"{prefix}/Sqrt{suffix}/x"))
    if scales.ndim != 1 or scales.shape != roots.shape:
        raise InputError(f"graph: anchors of level {level} have {scales.shape} scales")
    centres = (np.arange(side, dtype=np.float32) + 0.5) / side
    shape = (side, side, scales.size)
    parts = (
        np.broadcast_to(centres[:, None, None], shape),
        np.broadcast_to(centres[None, :, None], shape),
        np.broadcast_to(scales / roots, shape),
        np.broadcast_to(scales * roots, shape),
    )
    return np.stack(parts, axis=-1).reshape(-1, 4).astype(np.float32)


def _decode(builder: Builder, boxes: list[str], logits: list[str], anchors: Floats) -> None:
    """Box decoding of SSD (Liu et al. 2016, section 2.2; variances 0.1 and 0.2), best K."""
    const, emit = builder.constant, builder.emit
    const("anchor_centres", anchors[:, :2] * SIDE)
    const("anchor_sizes", anchors[:, 2:] * SIDE)
    const("centre_variance", np.float32(0.1))
    const("size_variance", np.float32(0.2))
    const("half", np.float32(0.5))
    const("top_boxes", np.array([TOP_BOXES], np.int64))
    emit("Concat", boxes, "codes", axis=1)
    emit("Concat", logits, "logits", axis=1)
    const("zero", np.array([0], np.int64))
    const("two", np.array([2], np.int64))
    const("four", np.array([4], np.int64))
    const("last_axis", np.array([-1], np.int64))
    emit("Gather", ["logits", const("person", np.array(_PERSON, np.int64))], "logit", axis=2)
    emit("Sigmoid", ["logit"], "all_scores")
    topk = helper.make_node(
        "TopK", ["all_scores", "top_boxes"], ["scores", "kept"], "best", axis=1, sorted=1
    )
    builder.nodes.append(topk)
    emit("Slice", ["codes", "zero", "two", "last_axis"], "centre_codes")
    emit("Slice", ["codes", "two", "four", "last_axis"], "size_codes")
    emit("Mul", ["centre_codes", "centre_variance"], "centre_steps")
    emit("Mul", ["centre_steps", "anchor_sizes"], "centre_shifts")
    emit("Add", ["centre_shifts", "anchor_centres"], "centres")
    emit("Mul", ["size_codes", "size_variance"], "size_steps")
    emit("Exp", ["size_steps"], "size_factors")
    emit("Mul", ["size_factors", "anchor_sizes"], "sizes")
    emit("Mul", ["sizes", "half"], "half_sizes")
    emit("Sub", ["centres", "half_sizes"], "starts_yx")
    emit("Add", ["centres", "half_sizes"], "ends_yx")
    emit("Concat", ["starts_yx", "ends_yx"], "corners_yx", axis=2)
    emit("Gather", ["corners_yx", const("xyxy", np.array([1, 0, 3, 2], np.int64))], "xy", axis=2)
    emit("Unsqueeze", ["kept", "last_axis"], "kept_rows")
    emit("Expand", ["kept_rows", const("row", np.array([1, 1, 4], np.int64))], "kept_boxes")
    emit("GatherElements", ["xy", "kept_boxes"], "boxes_any", axis=1)
    low = const("picture_start", np.float32(0))
    high = const("picture_end", np.float32(SIDE))
    emit("Clip", ["boxes_any", low, high], "boxes")
    emit("Sub", ["kept", "kept"], "labels")


def _model(builder: Builder) -> bytes:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        builder.nodes,
        "ssdlite_person",
        [value("image", TensorProto.UINT8, ["N", SIDE, SIDE, 3])],
        [
            value("boxes", TensorProto.FLOAT, ["N", TOP_BOXES, 4]),
            value("scores", TensorProto.FLOAT, ["N", TOP_BOXES]),
            value("labels", TensorProto.INT64, ["N", TOP_BOXES]),
        ],
        builder.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    return content
