"""A graph of any inputs and outputs, loaded into ONNX Runtime or OpenVINO on the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.onnx_sessions import first_line, ort_refusals, session_options
from edgefactory.datasets.teacher import core_of_openvino
from edgefactory.datasets.teachers.spec import EngineSettings

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from openvino import CompiledModel

Array = NDArray[Any]

MAX_MODEL_BYTES: Final = 2 * 2**30


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output: `shape` has None where the graph leaves a size open.

    The shape is () where not even the number of dimensions is known. `kind` is numpy's name of
    the element type.
    """

    name: str
    shape: tuple[int | None, ...]
    kind: str

    def __str__(self) -> str:
        return f"{self.name} {self.kind}{['?' if d is None else d for d in self.shape]}"


class Session(Protocol):
    """A loaded graph with one input."""

    @property
    def input(self) -> Port:
        """What it takes."""

    @property
    def outputs(self) -> tuple[Port, ...]:
        """What it gives."""

    def run(self, batch: Array) -> dict[str, Array]:
        """The outputs by name. Raises `InputError` when the graph fails on `batch`."""

    def stated(self, key: str) -> str | None:
        """What the file says of itself under `key` (ONNX's `metadata_props`)."""


def load(files: Mapping[str, bytes], main: str, settings: EngineSettings) -> Session:
    """Load the graph `main` of `files` (name to content): ONNX, or OpenVINO's .xml with .bin.

    Raises `InputError` when it is not such a graph or takes several inputs, `MissingError` when
    the engine is not installed. An .xml runs in OpenVINO only.
    """
    if settings.engine == "onnxruntime":
        if main.endswith(".xml"):
            raise InputError(f"teacher {main} is OpenVINO's: run it with the engine openvino")
        return _OrtSession(files[main], main, settings)
    return _OvSession(files, main, settings)


def open_sizes(content: bytes, name: str) -> bytes:
    """The ONNX model in `content` with batch, height and width of its [N,C,H,W] input open."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise InputError(f"teacher {name} is not an ONNX model: {error}") from error
    weights = {tensor.name for tensor in model.graph.initializer}
    for value in [v for v in model.graph.input if v.name not in weights] + [*model.graph.output]:
        for axis, size in enumerate(value.type.tensor_type.shape.dim):
            if axis != 1:
                size.dim_param = f"{value.name}_{axis}"
    del model.graph.value_info[:]
    changed: bytes = model.SerializeToString()
    return changed


class _OrtSession:
    """A graph in ONNX Runtime."""

    def __init__(self, content: bytes, name: str, settings: EngineSettings) -> None:
        if settings.precision != "f32":
            raise InputError(f"teacher precision {settings.precision!r} on onnxruntime: use f32")
        try:
            import onnxruntime as ort
        except ImportError as error:
            raise MissingError("onnxruntime is not installed: pip install onnxruntime") from error
        self._refusals, self._name = ort_refusals(), name
        # Graphs that cannot be had with exact sums run as ONNX Runtime runs them by itself.
        for exact in (True, False):
            options = session_options(settings.threads, exact=exact)
            try:
                session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
                break
            except self._refusals as error:
                refused = error
        else:
            raise InputError(f"teacher {name} does not load: {first_line(refused)}") from refused
        self._session: InferenceSession = session
        self.input = _one(name, [_ort_port(port) for port in session.get_inputs()])
        self.outputs = tuple(_ort_port(port) for port in session.get_outputs())

    def run(self, batch: Array) -> dict[str, Array]:
        """See `Session.run`."""
        names = [port.name for port in self.outputs]
        try:
            values = self._session.run(names, {self.input.name: batch})
        except self._refusals as error:
            raise InputError(f"teacher {self._name} fails: {first_line(error)}") from error
        return dict(zip(names, values, strict=True))

    def stated(self, key: str) -> str | None:
        """See `Session.stated`."""
        said: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        return said.get(key)


class _OvSession:
    """A graph in OpenVINO: compiled for the first shape that is seen, and once for all others.

    A fixed shape is a seventh faster than an open one; footage has one shape, so it pays.
    """

    def __init__(self, files: Mapping[str, bytes], main: str, settings: EngineSettings) -> None:
        weights = files.get(main.removesuffix(".xml") + ".bin")
        self._core = core_of_openvino()
        self._name = main
        self._hints = {
            "INFERENCE_PRECISION_HINT": settings.precision,
            "INFERENCE_NUM_THREADS": settings.threads,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,  # else every process of `label auto` takes the same core
        }
        try:
            read = self._core.read_model
            self._model = read(files[main], weights) if weights else read(files[main])
        except RuntimeError as error:
            raise InputError(f"teacher {main} does not load: {first_line(error)}") from error
        self.input = _one(main, [_ov_port(port, "input") for port in self._model.inputs])
        self.outputs = tuple(
            _ov_port(port, f"output {i}") for i, port in enumerate(self._model.outputs)
        )
        self._open = self._model.inputs[0].partial_shape
        self._compiled: dict[tuple[int, ...] | None, CompiledModel] = {}

    def run(self, batch: Array) -> dict[str, Array]:
        """See `Session.run`."""
        shape = batch.shape
        fits = len(self.input.shape) == len(shape) and all(
            size in {None, found} for size, found in zip(self.input.shape, shape, strict=True)
        )
        if not fits:  # OpenVINO itself does not look
            raise InputError(f"teacher {self._name} takes {self.input}, not {list(shape)}")
        try:
            values = self._for(shape)([batch]).to_tuple()
        except RuntimeError as error:
            raise InputError(f"teacher {self._name} fails: {first_line(error)}") from error
        names = [port.name for port in self.outputs]
        return {name: np.array(value) for name, value in zip(names, values, strict=True)}

    def stated(self, key: str) -> str | None:
        """See `Session.stated`; OpenVINO keeps what an ONNX file says under `framework`."""
        path = ["framework", key]
        return (
            str(self._model.get_rt_info(path).astype(str))
            if self._model.has_rt_info(path)
            else None
        )

    def _for(self, shape: tuple[int, ...]) -> CompiledModel:
        if shape in self._compiled:
            return self._compiled[shape]
        key = shape if not self._compiled else None
        if key not in self._compiled:
            self._model.reshape(list(shape) if key else self._open)
            self._compiled[key] = self._core.compile_model(self._model, "CPU", self._hints)
        return self._compiled[key]


def _one(name: str, ports: list[Port]) -> Port:
    if len(ports) != 1:
        found = ", ".join(map(str, ports))
        raise InputError(f"teacher {name} takes {len(ports)} inputs ({found}); expected a picture")
    return ports[0]


def _ort_port(port: Any) -> Port:
    kind = port.type.removeprefix("tensor(").removesuffix(")")
    sizes = tuple(size if isinstance(size, int) else None for size in port.shape or ())
    names = {"float": "float32", "double": "float64"}
    return Port(port.name, sizes, names.get(kind, kind))


def _ov_port(port: Any, otherwise: str) -> Port:
    shape = port.partial_shape
    sizes = (
        ()
        if shape.rank.is_dynamic
        else tuple(size.get_length() if size.is_static else None for size in shape)
    )
    name = port.any_name if port.names else otherwise
    return Port(name, sizes, np.dtype(port.element_type.to_dtype()).name)
