"""What each tensor inside a graph holds when it is run: ONNX in ONNX Runtime, all else in OpenVINO.

Tensors go by their names in ONNX, which OpenVINO keeps, also in an IR and through NNCF. Quantized
tensors come as the numbers that they stand for, under the name of what was quantized.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import onnx

from edge_runtime.openvino_core import openvino_core
from edgefactory.compress.graph import Graph
from edgefactory.compress.parity.pipeline import Fed, Form
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.onnx_sessions import first_line, ort_refusals, session_options

Values = dict[str, npt.NDArray[Any]]

HEAVY: Final = frozenset(
    {"Conv", "ConvTranspose", "Gemm", "MatMul", "QLinearConv", "QLinearMatMul"}
)
QUANTIZING: Final = frozenset({"QuantizeLinear", "DequantizeLinear"})
ENDINGS: Final = ("_QuantizeLinear_Output", "_quantized")  # as ONNX Runtime's quantizer names them


class Trace(Protocol):
    """A graph that shows its inside."""

    def run(self, fed: Fed) -> Values:
        """The tensors for one input without its batch axis."""


def trace(form: Form) -> Trace:
    """The form, opened so that all its tensors can be seen. Raises InputError when it cannot."""
    if form.is_onnx and form.engine == "onnxruntime":
        return _OnnxTrace(form)
    return _OpenVinoTrace(form)


def load_graph(form: Form) -> Graph:
    """The graph of an ONNX form; unlike `graph.parse`, of any opset and unchecked."""
    return Graph(onnx.load_model_from_string(form.content))


class Scale(NamedTuple):
    """The step and the zero point of a quantized tensor."""

    step: np.float32
    zero: np.float32


class _OnnxTrace:
    """Every tensor of an ONNX graph, computed literally: without the engine's rewriting."""

    def __init__(self, form: Form) -> None:
        import onnxruntime as ort

        model = onnx.load_model_from_string(form.content)
        known = {output.name for output in model.graph.output}
        for node in model.graph.node:
            for name in node.output:
                if name and name not in known and node.op_type != "Constant":
                    model.graph.output.append(onnx.ValueInfoProto(name=name))
                    known.add(name)
        options = session_options(1)
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        try:
            self._session = ort.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except ort_refusals() as error:
            raise InputError(
                f"ONNX Runtime cannot load {form.name}: {first_line(error)}"
            ) from error
        self._input = self._session.get_inputs()[0].name
        self._names = [output.name for output in self._session.get_outputs()]
        self._scales = scales(load_graph(form))

    def run(self, fed: Fed) -> Values:
        """See `Trace`."""
        found = self._session.run(self._names, {self._input: np.ascontiguousarray(fed[None])})
        values = dict(zip(self._names, found, strict=True))
        for name, scale in self._scales.items():
            whole = values.pop(name).astype(np.float32)
            values.setdefault(plain(name), (whole - scale.zero) * scale.step)
        return values


def plain(name: str) -> str:
    """The name of the tensor whose quantized form is called `name`."""
    for ending in ENDINGS:
        name = name.removesuffix(ending)
    return name


def scales(graph: Graph) -> dict[str, Scale]:
    """The step and zero point of each quantized tensor that is not a constant."""
    found: dict[str, Scale] = {}
    for node in graph.nodes:
        if node.op_type == "QuantizeLinear":
            names = node.input[1:3]
        elif node.op_type == "QLinearConv":
            names = node.input[6:8]
        elif node.input and node.input[0] in found and node.op_type in ("Clip", "MaxPool", "Relu"):
            found[node.output[0]] = found[node.input[0]]
            continue
        else:
            continue
        step, zero = (graph.constants.get(name) for name in (*names, "")[:2])
        if step is not None and step.size == 1:
            level = np.float32(0 if zero is None else zero.reshape(-1)[0])
            found[node.output[0]] = Scale(np.float32(step.reshape(-1)[0]), level)
    return found


class _OpenVinoTrace:
    """Every named tensor of a graph that OpenVINO reads."""

    def __init__(self, form: Form) -> None:
        core = openvino_core()
        self._model = read_openvino(form)
        self._ports: list[str] = []
        wanted = []
        for node in self._model.get_ordered_ops():
            if node.get_type_name() in ("Constant", "Parameter", "Result"):
                continue
            for port in node.outputs():
                names = [name for name in port.get_names() if plain(name) == name]
                if names:
                    wanted.append(port)
                    self._ports.append(min(names))
        results = self._model.add_outputs(wanted)
        self._places = [self._model.outputs.index(port) for port in results]
        hints = {
            "INFERENCE_PRECISION_HINT": "bf16" if form.precision == "bf16" else "f32",
            "INFERENCE_NUM_THREADS": 1,
        }
        self._core, self._hints = core, hints
        self._request: Any = None

    def run(self, fed: Fed) -> Values:
        """See `Trace`."""
        if self._request is None:
            self._model.reshape([1, *fed.shape])
            compiled = self._core.compile_model(self._model, "CPU", self._hints)
            self._request = compiled.create_infer_request()
        self._request.infer([np.ascontiguousarray(fed[None])])
        return {
            name: self._request.get_output_tensor(place).data.copy()
            for name, place in zip(self._ports, self._places, strict=True)
        }


def read_openvino(form: Form) -> Any:
    """The form as OpenVINO's model. Raises InputError."""
    core = openvino_core()
    weights = form.files.get(Path(form.main).with_suffix(".bin").name)
    try:
        return core.read_model(form.content, weights) if weights else core.read_model(form.content)
    except RuntimeError as error:
        raise InputError(f"OpenVINO cannot read {form.name}: {first_line(error)}") from error
