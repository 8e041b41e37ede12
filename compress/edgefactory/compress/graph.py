"""A small editable view of an ONNX graph: who makes a tensor, who reads it, what is constant.

Only what the quantization rewrites need. Tensors are named by strings; constants are numpy arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, helper, numpy_helper

from edgefactory.datasets.errors import InputError
from edgefactory.training.specification import PREFIX

Array = npt.NDArray[np.generic]

_OPSET_FROM, _OPSET_TO = 13, 21  # per-channel QDQ came with 13; newer ones are not tried


class Graph:
    """The nodes and constants of one model, kept in an order in which they can run."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self.opset = next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, Array] = {
            tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer
        }
        for node in model.graph.node:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                self.constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
            else:
                self.nodes.append(node)
        self.inputs = [i.name for i in model.graph.input if i.name not in self.constants]
        self.outputs = [o.name for o in model.graph.output]

    def input_shape(self) -> tuple[int | None, ...]:
        """The shape of the first input; a free axis is None."""
        taken = next(i for i in self._model.graph.input if i.name == self.inputs[0])
        return tuple(axis.dim_value or None for axis in taken.type.tensor_type.shape.dim)

    def producer(self, tensor: str) -> NodeProto | None:
        """The node that makes `tensor`; None for an input or a constant."""
        return next((node for node in self.nodes if tensor in node.output), None)

    def consumers(self, tensor: str) -> list[NodeProto]:
        """The nodes that read `tensor`."""
        return [node for node in self.nodes if tensor in node.input]

    def only_consumer(self, tensor: str) -> NodeProto | None:
        """The one node that reads `tensor`, or None when it is read elsewhere too."""
        readers = self.consumers(tensor)
        return readers[0] if len(readers) == 1 and tensor not in self.outputs else None

    def scalar(self, tensor: str) -> float | None:
        """The value of a constant of one element, else None."""
        value = self.constants.get(tensor)
        return float(value.reshape(-1)[0]) if value is not None and value.size == 1 else None

    def add(self, op: str, inputs: Sequence[str], output: str, **attributes: Any) -> NodeProto:
        """Append a node called like its output; `to_bytes` puts it into its place."""
        node = helper.make_node(op, list(inputs), [output], name=output, **attributes)
        self.nodes.append(node)
        return node

    def constant(self, name: str, value: Array) -> str:
        """Store a constant; gives its name, lengthened where another one has it already."""
        while not np.array_equal(self.constants.get(name, value), value):
            name += "_"
        self.constants[name] = value
        return name

    def replace_input(self, old: str, new: str, nodes: Sequence[NodeProto]) -> None:
        """Let `nodes` read `new` where they read `old`."""
        for node in nodes:
            for i, name in enumerate(node.input):
                if name == old:
                    node.input[i] = new

    def to_bytes(self) -> bytes:
        """The model's one byte form: dead parts removed, nodes in running order, no doc strings.

        What the model says of itself (`training.specification`) is kept.
        """
        nodes = self.live()
        used = {name for node in nodes for name in node.input} | set(self.outputs)
        graph = helper.make_graph(
            nodes,
            "edgefactory",
            list(self._model.graph.input),
            list(self._model.graph.output),
            [
                numpy_helper.from_array(self.constants[n], n)
                for n in sorted(self.constants)
                if n in used
            ],
        )
        for node in graph.node:
            node.doc_string = ""
        opsets = [helper.make_opsetid("", self.opset)]
        model = helper.make_model(
            graph, producer_name="edgefactory", opset_imports=opsets, ir_version=9
        )
        model.metadata_props.extend(
            entry for entry in self._model.metadata_props if entry.key.startswith(PREFIX)
        )
        onnx.checker.check_model(model, full_check=True)
        content: bytes = model.SerializeToString(deterministic=True)
        return content

    def live(self) -> list[NodeProto]:
        """The nodes that an output needs, each after those it reads from."""
        maker = {name: node for node in self.nodes for name in node.output}
        placed: dict[int, NodeProto] = {}
        for output in self.outputs:
            stack = [(maker[output], False)] if output in maker else []
            while stack:
                node, ready = stack.pop()
                if id(node) in placed:
                    continue
                if ready:
                    placed[id(node)] = node
                    continue
                stack.append((node, True))
                stack += [(maker[n], False) for n in reversed(node.input) if n in maker]
        return list(placed.values())


def parse(content: bytes, name: str) -> Graph:
    """The graph in `content`. Raises InputError when it is no ONNX model that we can rewrite."""
    model = _model(content, name)
    graph = Graph(model)
    if not _OPSET_FROM <= graph.opset <= _OPSET_TO:
        raise InputError(
            f"{name} uses ONNX opset {graph.opset}; export it with {_OPSET_FROM} to {_OPSET_TO}"
        )
    return graph


def attributes(node: NodeProto) -> Mapping[str, Any]:
    """The node's attributes as Python values."""
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def input_size(content: bytes, name: str) -> tuple[int, int]:
    """Width and height of the input uint8 [N,H,W,3] of an ONNX model. Raises InputError."""
    model = _model(content, name)
    shape = [axis.dim_value for axis in model.graph.input[0].type.tensor_type.shape.dim]
    if len(shape) != 4 or shape[3] != 3 or not (shape[1] and shape[2]):
        raise InputError(f"{name} takes {shape}; expected [N,H,W,3] with H and W fixed")
    return shape[2], shape[1]


def _model(content: bytes, name: str) -> onnx.ModelProto:
    try:
        onnx.checker.check_model(content)
    except (onnx.checker.ValidationError, ValueError) as error:
        line = str(error).strip().splitlines()[0]
        raise InputError(f"{name} is not a valid ONNX model: {line}") from error
    return onnx.load_from_string(content)
