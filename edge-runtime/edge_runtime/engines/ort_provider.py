"""ONNX Runtime by one of its providers, through its Python package."""

from collections.abc import Mapping

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as states

from edge_runtime.contract import Outputs, Precision, Provider
from edge_runtime.engines import providers
from edge_runtime.engines.arrays import UInt8
from edge_runtime.engines.loading import Session
from edge_runtime.engines.ort import line, require_one
from edge_runtime.engines.tensors import InputTensor
from edge_runtime.errors import RefusedError

_ERRORS = (  # they share no base of their own
    states.EPFail,
    states.Fail,
    states.InvalidArgument,
    states.InvalidGraph,
    states.InvalidProtobuf,
    states.NotImplemented,
    states.RuntimeException,
    RuntimeError,  # a provider's option that this version does not know
)


class ProviderSession:
    """A graph loaded by ONNX Runtime's Python package."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        session._model_bytes = None  # it keeps them to fall back to another provider, which is off
        taken = session.get_inputs()[0]
        self._input = taken.name
        self.input = InputTensor(
            {"tensor(float)": "float32"}.get(taken.type, taken.type[7:-1]),  # "tensor(uint8)"
            tuple(axis if isinstance(axis, int) else None for axis in taken.shape),
        )
        self._outputs = [output.name for output in session.get_outputs()]

    def run(self, batch: UInt8) -> Outputs:
        """See `Session.run`."""
        try:
            values = self._session.run(self._outputs, {self._input: batch})
        except _ERRORS as error:
            raise RefusedError(f"ONNX Runtime cannot run the model: {line(error)}") from error
        return {name: np.asarray(value) for name, value in zip(self._outputs, values, strict=True)}


def load(
    files: Mapping[str, bytes], main: str, precision: Precision, threads: int, provider: Provider
) -> Session:
    """An ONNX file, run by `provider` in `precision`.

    Raises RefusedError also when the provider does not load, or would leave the whole graph to the
    CPU: ONNX Runtime itself would go on without it.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    told = providers.options(provider, precision, threads)
    asked = [(providers.NAMES[provider], told), "CPUExecutionProvider"]
    try:
        session = onnxruntime.InferenceSession(
            files[main], options, providers=asked, enable_fallback=0
        )
    except _ERRORS as error:
        raise RefusedError(f"ONNX Runtime cannot load {main}: {line(error)}") from error
    require_one(main, len(session.get_inputs()))
    reason = _left_out(session, provider)
    if reason is not None:
        raise RefusedError(f"{main} does not run by ONNX Runtime's {provider} provider: {reason}")
    return ProviderSession(session)


def _left_out(session: onnxruntime.InferenceSession, provider: Provider) -> str | None:
    """Why `provider` runs nothing of the graph; None when it runs it, or the most that it can."""
    name = providers.NAMES[provider]
    if name not in session.get_providers():
        return "it does not load here (stderr says why); is what it needs installed?"
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return f"ONNX Runtime {onnxruntime.__version__} cannot tell what it runs; 1.24 can"
    if any(part.ep_name == name for part in session.get_provider_graph_assignment_info()):
        return None
    return "it cannot run this graph, and leaves all of it to the CPU"
