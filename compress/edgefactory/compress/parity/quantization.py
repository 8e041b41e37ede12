"""What quantization does to a graph: its steps and weights, and what it normally costs.

What is normal is not assumed: the float graph is quantized here, by `compress`'s own means, on
calibration inputs that are right, and each layer of the form under suspicion is held against that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, TensorProto

from edge_runtime.contract import digest
from edgefactory.compress import lowering, openvino_ir, portable
from edgefactory.compress.graph import Graph, attributes
from edgefactory.compress.parity.pipeline import Fed, Form
from edgefactory.compress.parity.tracing import load_graph, plain, read_openvino, scales
from edgefactory.datasets.errors import InputError

Floats = npt.NDArray[np.float64]

LOWERED: Final = "QLinearConv"
_WEIGHT: Final[Mapping[str, int]] = {"Conv": 1, "Gemm": 1, "MatMul": 1, LOWERED: 3}
_BYTES: Final = (TensorProto.UINT8, TensorProto.INT8)
_QUANTIZED_OPS: Final = frozenset(
    {"QuantizeLinear", "DequantizeLinear", LOWERED, "ConvInteger", "MatMulInteger", "QLinearMatMul"}
)


@dataclass
class Normals:
    """The float graphs quantized here so far. `inputs` are what their graphs are fed rightly."""

    inputs: Sequence[Fed]
    _made: dict[tuple[str, str], Form | None] = field(default_factory=dict)

    def like(self, form: Form, fp32: Form) -> Form | None:
        """The ONNX form `fp32` quantized in the way of `form`; None where that cannot be done."""
        if not self.inputs:
            return None
        way = "nncf" if not form.is_onnx else "lowered" if _is_lowered(form) else "portable"
        key = digest(fp32.content), way
        if key not in self._made:
            try:
                self._made[key] = _quantized(fp32.content, way, self.inputs)
            except InputError:
                self._made[key] = None
        return self._made[key]


def _quantized(fp32: bytes, way: str, inputs: Sequence[Fed]) -> Form:
    if way == "nncf":
        files = openvino_ir.to_int8_ir(fp32, inputs)
        return Form("quantized", "our own", files, "model.xml", "openvino", "int8")
    content = portable.quantize_portable(fp32, inputs)
    if way == "lowered":
        content = lowering.lower(content)
    return Form("quantized", "our own", {"m.onnx": content}, "m.onnx", "onnxruntime", "int8")


def is_quantized(form_files: Mapping[str, bytes], main: str) -> bool:
    """Whether the graph computes in integers, by its operators."""
    if main.endswith(".xml"):
        return b'type="FakeQuantize"' in form_files[main]
    graph = load_graph(Form("onnx", main, form_files, main, "onnxruntime"))
    return any(node.op_type in _QUANTIZED_OPS for node in graph.nodes)


def _is_lowered(form: Form) -> bool:
    return any(node.op_type == LOWERED for node in load_graph(form).nodes)


def steps_of(form: Form) -> dict[str, float]:
    """The step of each quantized activation, by the name of its tensor or operation."""
    if form.is_onnx:
        found = scales(load_graph(form))
        return {plain(name): float(scale.step) for name, scale in found.items()}
    steps = {}
    for node in read_openvino(form).get_ordered_ops():
        if node.get_type_name() != "FakeQuantize":
            continue
        low, high = (_constant(node.input_value(at).get_node()) for at in (3, 4))
        if low is not None and high is not None and low.size == high.size == 1:
            steps[node.get_friendly_name()] = float((high - low).reshape(-1)[0]) / 255
    return steps


def _constant(node: Any) -> Floats | None:
    return np.asarray(node.data, np.float64) if node.get_type_name() == "Constant" else None


@dataclass(frozen=True)
class Weights:
    """A layer's weights as numbers, and the step of the grid that they lie on (0: none)."""

    values: Floats
    step: Floats


def weights_of(graph: Graph, layer: str) -> Weights | None:
    """The weights of the layer of that name; None where there are none, or none to be read."""
    node = next((n for n in graph.nodes if n.name == layer and n.op_type in _WEIGHT), None)
    if node is None or len(node.input) <= _WEIGHT[node.op_type]:
        return None
    at = _WEIGHT[node.op_type]
    if node.op_type == LOWERED:
        return _stepped(graph, node.input[at], node.input[at + 1], node.input[at + 2], 0)
    maker = graph.producer(node.input[at])
    if maker is not None and maker.op_type == "DequantizeLinear":
        zero = maker.input[2] if len(maker.input) > 2 else ""
        axis = attributes(maker).get("axis", 1)
        return _stepped(graph, maker.input[0], maker.input[1], zero, axis)
    value = graph.constants.get(node.input[at])
    return None if value is None else Weights(np.asarray(value, np.float64), np.zeros(()))


def _stepped(graph: Graph, whole: str, step: str, zero: str, axis: int) -> Weights | None:
    if whole not in graph.constants or step not in graph.constants:
        return None
    values = np.asarray(graph.constants[whole], np.float64)
    steps = np.asarray(graph.constants[step], np.float64)
    level = np.asarray(graph.constants.get(zero, np.zeros(())), np.float64)
    if steps.ndim:
        shape = [1] * values.ndim
        shape[axis] = -1
        steps = steps.reshape(shape)
        level = level.reshape(shape) if level.size > 1 else level
    return Weights((values - level) * steps, np.asarray(steps))


def confused_integers(graph: Graph) -> tuple[NodeProto, str] | None:
    """The first node that reads quantized numbers otherwise than they were written, and how.

    Signed and unsigned bytes are confused where a tensor is read with another zero point than it
    was written with, or cast from one to the other on its way.
    """
    written = scales(graph)
    for node in graph.nodes:
        source = written.get(node.input[0]) if node.input else None
        if source is None:
            continue
        if node.op_type == "Cast" and attributes(node)["to"] in _BYTES:
            return node, "its bytes are cast between signed and unsigned"
        if node.op_type in ("DequantizeLinear", LOWERED):
            read = graph.constants.get(node.input[2]) if len(node.input) > 2 else None
            found = float(read.reshape(-1)[0]) if read is not None else 0.0
            if found != float(source.zero):
                says = f"it reads with the zero point {found:g} what has {float(source.zero):g}"
                return node, says
    return None
