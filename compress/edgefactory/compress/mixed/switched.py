"""The FP32 graph with a switch at each layer: one session stands for all mixtures.

Each layer that the portable form quantizes becomes an `If`: the layer in float, or with its Q/DQ
pairs, at the very scales that it has in the portable form. So a layer alone can be quantized
without another graph and another session, and a layer that is off costs what float costs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from edgefactory.compress.graph import Array, Graph, parse
from edgefactory.compress.portable import QUANTIZED_OPS, prepared
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.onnx_sessions import first_line, ort_refusals, session_options

UInt8 = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

_SWITCHES: Final = "switches"


@dataclass(frozen=True)
class Switched:
    """A session, and the names of the layers that it can switch, in running order."""

    session: Any
    layers: tuple[str, ...]

    def run(self, picture: UInt8, on: Iterable[str]) -> list[Floats]:
        """What the last layers say of a picture uint8 [H,W,3] when those named `on` are INT8.

        Raises InputError for a picture that the model does not run on.
        """
        chosen = set(on)
        switches = np.asarray([layer in chosen for layer in self.layers], np.bool_)
        image = self.session.get_inputs()[0].name
        try:
            found: list[Floats] = self.session.run(
                None, {image: picture[None], _SWITCHES: switches}
            )
        except ort_refusals() as error:
            raise InputError(
                f"the model does not run on a calibration picture of {picture.shape}: "
                f"{first_line(error)}"
            ) from error
        return found


def switched(fp32: bytes, portable: bytes, threads: int = 1) -> Switched:
    """The switched graph of an FP32 model, by its portable form with every layer in INT8."""
    import onnxruntime as ort

    graph = prepared(fp32)
    int8 = parse(portable, "the portable INT8 model")
    quantized = {node.name: node for node in int8.nodes if any(_pair(int8, t) for t in node.input)}
    nodes = graph.live()
    layers = [n.name for n in nodes if n.op_type in QUANTIZED_OPS and n.name in quantized]
    heads = _heads(nodes, layers)
    constants = dict(graph.constants)
    made: list[NodeProto] = []
    for node in nodes:
        if node.name in layers:
            constants |= {
                _inside(name): int8.constants[name]
                for name in _constants(int8, quantized[node.name])
            }
            made += _choice(node, layers.index(node.name), int8, quantized[node.name])
        else:
            made.append(node)
    constants |= {f"{_SWITCHES}.{place}": np.asarray(place) for place in range(len(layers))}
    options = session_options(threads)
    options.enable_cpu_mem_arena = False  # an arena never gives back what the largest layer took
    session = ort.InferenceSession(
        _serialized(made, constants, (fp32, graph.opset), heads, len(layers)),
        options,
        providers=["CPUExecutionProvider"],
    )
    return Switched(session, tuple(layers))


def _pair(int8: Graph, tensor: str) -> NodeProto | None:
    """The DequantizeLinear that makes `tensor`."""
    maker = int8.producer(tensor)
    return maker if maker is not None and maker.op_type == "DequantizeLinear" else None


def _choice(node: NodeProto, place: int, int8: Graph, quantized: NodeProto) -> list[NodeProto]:
    """An `If` over the switch number `place` between the layer as it is and as `quantized` is."""
    chosen = f"{node.name}.switch"
    pick = helper.make_node("Gather", [_SWITCHES, f"{_SWITCHES}.{place}"], [chosen])
    steps: list[NodeProto] = []
    inputs = [
        _int8_input(steps, f"{node.name}.{port}.int8", original, int8, tensor)
        for port, (original, tensor) in enumerate(zip(node.input, quantized.input, strict=True))
    ]
    branches = {
        "then_branch": _branch("int8", [*steps, _copy(node, inputs, f"{node.name}.int8")]),
        "else_branch": _branch("float", [_copy(node, list(node.input), f"{node.name}.float")]),
    }
    return [pick, helper.make_node("If", [chosen], list(node.output), name=node.name, **branches)]


def _int8_input(steps: list[NodeProto], name: str, original: str, int8: Graph, tensor: str) -> str:
    """What the INT8 layer reads in place of `original`; what makes it is added to `steps`."""
    pair = _pair(int8, tensor)
    if pair is None:
        return _inside(tensor) if tensor in int8.constants else original
    scale = [_inside(constant) for constant in pair.input[1:]]
    whole = _inside(pair.input[0])
    if pair.input[0] not in int8.constants:
        whole = f"{name}.whole"
        steps.append(helper.make_node("QuantizeLinear", [original, *scale], [whole]))
    axis = {a.name: helper.get_attribute_value(a) for a in pair.attribute}
    steps.append(helper.make_node("DequantizeLinear", [whole, *scale], [name], **axis))
    return name


def _constants(int8: Graph, quantized: NodeProto) -> set[str]:
    """The constants of the INT8 graph that a layer and its pairs read."""
    read = set(quantized.input)
    for tensor in quantized.input:
        pair = _pair(int8, tensor)
        read |= set(pair.input) if pair is not None else set()
    return read & set(int8.constants)


def _inside(constant: str) -> str:
    """A constant of the INT8 graph, beside the one of the FP32 graph that has its name."""
    return f"int8:{constant}"


def _copy(node: NodeProto, inputs: Sequence[str], output: str) -> NodeProto:
    made = NodeProto()
    made.CopyFrom(node)
    del made.input[:], made.output[:]
    made.input.extend(inputs)
    made.output.append(output)
    return made


def _branch(name: str, nodes: Sequence[NodeProto]) -> onnx.GraphProto:
    result = helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)
    return helper.make_graph(nodes, name, [], [result])


def _heads(nodes: Sequence[NodeProto], layers: Collection[str]) -> list[str]:
    """The results of layers after which no other layer comes; `nodes` in running order."""
    leads: set[str] = set()
    heads = []
    for node in reversed(nodes):
        leads_on = any(tensor in leads for tensor in node.output)
        if node.name in layers and not leads_on:
            heads.append(node.output[0])
        if node.name in layers or leads_on:
            leads.update(node.input)
    return heads[::-1]


def _serialized(
    nodes: Sequence[NodeProto],
    constants: dict[str, Array],
    of: tuple[bytes, int],
    heads: Sequence[str],
    count: int,
) -> bytes:
    """The model with the switches as a second input and the heads as its only outputs."""
    fp32, opset = of
    made = helper.make_graph(
        nodes,
        "switched",
        [
            onnx.load_from_string(fp32).graph.input[0],
            helper.make_tensor_value_info(_SWITCHES, TensorProto.BOOL, [count]),
        ],
        [helper.make_tensor_value_info(head, TensorProto.FLOAT, None) for head in heads],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    content: bytes = helper.make_model(made, opset_imports=opsets, ir_version=9).SerializeToString()
    return content
