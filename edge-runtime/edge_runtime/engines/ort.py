"""ONNX Runtime on the CPU: the default engine."""

from collections.abc import Mapping

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as states

from edge_runtime.contract import Outputs, Precision
from edge_runtime.engines.loading import InputTensor, Session, UInt8
from edge_runtime.errors import RefusedError

_ERRORS = (  # they share no base of their own
    states.EPFail,
    states.Fail,
    states.InvalidArgument,
    states.InvalidGraph,
    states.InvalidProtobuf,
    states.NotImplemented,
    states.RuntimeException,
)


class OrtSession:
    """A graph loaded by ONNX Runtime."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        session.disable_fallback()  # to another provider, for which it would keep the model's bytes
        session._model_bytes = None
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
            raise RefusedError(f"ONNX Runtime cannot run the model: {_line(error)}") from error
        return {name: np.asarray(value) for name, value in zip(self._outputs, values, strict=True)}


def load(files: Mapping[str, bytes], main: str, precision: Precision, threads: int) -> Session:
    """See `engines.Loader`; the graph itself carries its precision."""
    del precision
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(
            files[main], options, providers=["CPUExecutionProvider"]
        )
    except _ERRORS as error:
        raise RefusedError(f"ONNX Runtime cannot load {main}: {_line(error)}") from error
    if len(session.get_inputs()) != 1:
        raise RefusedError(f"{main} takes {len(session.get_inputs())} inputs; expected `image`")
    return OrtSession(session)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
