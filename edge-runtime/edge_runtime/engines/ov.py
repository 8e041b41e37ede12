"""OpenVINO on the CPU: an optional engine."""

from collections.abc import Mapping

import numpy as np

from edge_runtime.contract import Outputs, Precision
from edge_runtime.engines import ov_model
from edge_runtime.engines.arrays import UInt8
from edge_runtime.engines.loading import Session


class OvSession:
    """See `ov_model.OvModel`."""

    def __init__(self, model: ov_model.OvModel) -> None:
        self._model = model
        self.input = model.input

    def run(self, batch: UInt8) -> Outputs:
        """See `Session.run`."""
        whole = np.ascontiguousarray(batch)
        with self._model.lock:
            found = self._model.run(whole.ctypes.data, whole.shape)
            return {
                name: np.frombuffer(value.data, value.kind).reshape(value.shape).copy()
                for name, value in found.items()
            }


def load(files: Mapping[str, bytes], main: str, precision: Precision, threads: int) -> Session:
    """See `engines.Loader` and `ov_model.load`."""
    return OvSession(ov_model.load(files, main, precision, threads))
