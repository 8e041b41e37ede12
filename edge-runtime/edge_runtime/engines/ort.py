"""ONNX Runtime on its own kernels for the CPU: the default engine."""

from collections.abc import Mapping

import numpy as np

from edge_runtime.contract import Outputs, Precision
from edge_runtime.engines import onnxruntime_c
from edge_runtime.engines.arrays import UInt8
from edge_runtime.engines.loading import Session
from edge_runtime.errors import RefusedError


class OrtSession:
    """A graph loaded by ONNX Runtime."""

    def __init__(self, model: onnxruntime_c.Model) -> None:
        self._model = model
        self.input = model.input

    def run(self, batch: UInt8) -> Outputs:
        """See `Session.run`."""
        if batch.dtype != np.uint8:
            raise RefusedError(f"ONNX Runtime cannot run the model on {batch.dtype}, but on uint8")
        whole = np.ascontiguousarray(batch)
        try:
            found = self._model.run(whole.ctypes.data, whole.shape)
        except RuntimeError as error:
            raise RefusedError(f"ONNX Runtime cannot run the model: {line(error)}") from error
        except MemoryError as error:
            raise RefusedError(f"no memory for what a batch of {len(batch)} gives") from error
        return {
            name: np.frombuffer(value.data, value.kind).reshape(value.shape)
            for name, value in zip(self._model.outputs, found, strict=True)
        }


def load(files: Mapping[str, bytes], main: str, precision: Precision, threads: int) -> Session:
    """See `engines.Loader`: an ONNX file. Raises RefusedError."""
    del precision  # the graph carries its own
    try:
        model = onnxruntime_c.Model(files[main], threads)
    except RuntimeError as error:
        raise RefusedError(f"ONNX Runtime cannot load {main}: {line(error)}") from error
    require_one(main, model.inputs)
    return OrtSession(model)


def require_one(main: str, inputs: int) -> None:
    """Raise RefusedError when the graph takes another number of inputs."""
    if inputs != 1:
        raise RefusedError(f"{main} takes {inputs} inputs; expected `image`")


def line(error: Exception) -> str:
    """What ONNX Runtime says, in one line."""
    return " ".join(str(error).split())[:200]
