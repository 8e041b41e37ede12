"""OpenVINO on the CPU: an optional engine.

The precision is always stated: left alone, OpenVINO computes in bf16 on CPUs that have it, and
what ran would not be what was proven.
"""

import contextlib
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from edge_runtime.contract import Outputs, Precision, digest
from edge_runtime.engines.compiled import Compiled
from edge_runtime.engines.loading import InputTensor, Session, UInt8
from edge_runtime.errors import RefusedError
from edge_runtime.machine import host
from edge_runtime.openvino_core import openvino_core, quiet_openvino


class OvSession:
    """A model in OpenVINO; requests of several threads run one after the other.

    It is compiled for each size of batch that comes: a graph whose batch axis is left free runs a
    fifth longer, and as long as that was what ran here it was not what had been measured.
    """

    def __init__(self, model: Any, compile_model: Callable[[Any, int], Any]) -> None:
        taken = model.inputs[0]
        shape = tuple(d.get_length() if d.is_static else None for d in taken.get_partial_shape())
        self.input = InputTensor(taken.element_type.to_dtype().name, shape)
        self._names = [output.get_any_name() for output in model.outputs]
        self._model, self._compile = model, compile_model
        self._requests: dict[int, Any] = {}
        self._lock = threading.Lock()
        self._request(shape[0] or 1)

    def run(self, batch: UInt8) -> Outputs:
        """See `Session.run`."""
        shape = self.input.shape
        expected = zip(shape, batch.shape, strict=False)  # OpenVINO itself does not look
        if batch.ndim != len(shape) or any(e not in {None, found} for e, found in expected):
            raise RefusedError(
                f"OpenVINO cannot run the model: it takes {list(shape)}, not {list(batch.shape)}"
            )
        with self._lock:
            try:
                values = self._request(len(batch)).infer([batch]).to_tuple()
            except RuntimeError as error:
                raise RefusedError(f"OpenVINO cannot run the model: {_line(error)}") from error
            return {name: np.array(value) for name, value in zip(self._names, values, strict=True)}

    def _request(self, count: int) -> Any:
        """A request for batches of `count` pictures."""
        if count not in self._requests:
            if self.input.shape[0] is None and None not in self.input.shape[1:]:
                self._model.reshape([count, *self.input.shape[1:]])
            self._requests[count] = self._compile(self._model, count).create_infer_request()
        return self._requests[count]


def load(
    files: Mapping[str, bytes],
    main: str,
    precision: Precision,
    threads: int,
    kept: Compiled | None = None,
) -> Session:
    """See `engines.Loader`: an IR (`model.xml` with `model.bin`) or an ONNX file.

    What compiling makes is taken from `kept`, or kept there.
    """
    openvino, core = quiet_openvino(), openvino_core()
    weights = files.get(main.removesuffix(".xml") + ".bin", b"")
    hint = {"bf16": openvino.Type.bf16, "f16": openvino.Type.f16}.get(precision, openvino.Type.f32)
    properties = openvino.properties
    hints = {
        properties.hint.inference_precision: hint,
        properties.hint.performance_mode: properties.hint.PerformanceMode.LATENCY,
        properties.inference_num_threads: threads,
        properties.num_streams: 1,
    }
    about = [openvino.__version__, precision, str(threads), digest(files[main]), digest(weights)]

    def compiled(model: Any, count: int) -> Any:
        if kept is None:
            return core.compile_model(model, "CPU", hints)
        machine = host(())
        key = digest(" ".join([*about, str(count), machine.cpu, *machine.flags]).encode())
        blob = kept.get(key)
        if blob is not None:
            with contextlib.suppress(RuntimeError):  # of another build of the same version
                return core.import_model(blob, "CPU", hints)
        made = core.compile_model(model, "CPU", hints)
        kept.put(key, made.export_model().getvalue())
        return made

    try:
        model = core.read_model(files[main], weights) if weights else core.read_model(files[main])
        return OvSession(model, compiled)
    except RuntimeError as error:
        raise RefusedError(f"OpenVINO cannot load {main}: {_line(error)}") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
