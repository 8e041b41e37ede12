"""OpenVINO on the CPU: an optional engine.

The precision is always stated: left alone, OpenVINO computes in bf16 on CPUs that have it, and
what ran would not be what was proven.
"""

import sys
from collections.abc import Mapping
from types import ModuleType

import numpy as np

from edge_runtime.contract import Outputs, Precision
from edge_runtime.engines.loading import InputTensor, Session, UInt8
from edge_runtime.errors import RefusedError


class OvSession:
    """A model compiled by OpenVINO; one request at a time."""

    def __init__(self, compiled: "openvino.CompiledModel") -> None:  # type: ignore[name-defined]  # noqa: F821 - imported in load only
        self._request = compiled.create_infer_request()
        taken = compiled.inputs[0]
        self._shape = [
            dim.get_length() if dim.is_static else None for dim in taken.get_partial_shape()
        ]
        self.input = InputTensor(taken.element_type.to_dtype().name, tuple(self._shape))
        self._names = [output.get_any_name() for output in compiled.outputs]

    def run(self, batch: UInt8) -> Outputs:
        """See `Session.run`."""
        expected = zip(self._shape, batch.shape, strict=False)  # OpenVINO itself does not look
        if batch.ndim != len(self._shape) or any(e not in {None, found} for e, found in expected):
            raise RefusedError(
                f"OpenVINO cannot run the model: it takes {self._shape}, not {list(batch.shape)}"
            )
        try:
            results = self._request.infer([batch])
        except RuntimeError as error:
            raise RefusedError(f"OpenVINO cannot run the model: {_line(error)}") from error
        values = results.to_tuple()
        return {name: np.array(value) for name, value in zip(self._names, values, strict=True)}


def load(files: Mapping[str, bytes], main: str, precision: Precision, threads: int) -> Session:
    """See `engines.Loader`: an IR (`model.xml` with `model.bin`) or an ONNX file."""
    openvino = _import()
    core = openvino.Core()
    weights = files.get(main.removesuffix(".xml") + ".bin", b"")
    hint = {"bf16": openvino.Type.bf16, "f16": openvino.Type.f16}.get(precision, openvino.Type.f32)
    properties = openvino.properties
    try:
        model = core.read_model(files[main], weights) if weights else core.read_model(files[main])
        compiled = core.compile_model(
            model,
            "CPU",
            {
                properties.hint.inference_precision: hint,
                properties.hint.performance_mode: properties.hint.PerformanceMode.LATENCY,
                properties.inference_num_threads: threads,
                properties.num_streams: 1,
            },
        )
    except RuntimeError as error:
        raise RefusedError(f"OpenVINO cannot load {main}: {_line(error)}") from error
    return OvSession(compiled)


def _import() -> ModuleType:
    """Import OpenVINO without the telemetry package that would start a thread."""
    sys.modules.setdefault("openvino_telemetry", ModuleType("openvino_telemetry"))
    import openvino
    import openvino.properties

    module: ModuleType = openvino
    return module


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
