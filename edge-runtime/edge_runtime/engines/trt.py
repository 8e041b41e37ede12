"""TensorRT of either flavour on an NVIDIA card: an engine built for its capability."""

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_runtime.building import tensorrt
from edge_runtime.contract import Flavour, Outputs, Precision
from edge_runtime.engines.arrays import UInt8
from edge_runtime.engines.cuda import Stream
from edge_runtime.engines.loading import Session
from edge_runtime.engines.tensors import InputTensor
from edge_runtime.errors import RefusedError

Array = npt.NDArray[np.generic]


class TrtSession:
    """A deserialized engine with its execution context and stream."""

    def __init__(self, trt: Any, engine: Any, stream: Stream) -> None:
        self._trt = trt
        self._engine = engine
        self._stream = stream
        self._lock = threading.Lock()
        self._context = engine.create_execution_context()
        if self._context is None:
            raise RefusedError("TensorRT cannot make an execution context on this card")
        names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        inputs = [n for n in names if engine.get_tensor_mode(n) == trt.TensorIOMode.INPUT]
        if len(inputs) != 1:
            raise RefusedError(f"the engine takes {len(inputs)} inputs; expected `image`")
        self._input = inputs[0]
        self.input = InputTensor(
            np.dtype(trt.nptype(engine.get_tensor_dtype(self._input))).name,
            tuple(None if axis < 0 else axis for axis in engine.get_tensor_shape(self._input)),
        )
        self._outputs = [n for n in names if n != self._input]

    def run(self, batch: UInt8) -> Outputs:
        """See `Session.run`."""
        with self._lock:  # a context takes one call at a time
            return self._run(np.ascontiguousarray(batch))

    def _run(self, batch: UInt8) -> Outputs:
        if not self._context.set_input_shape(self._input, batch.shape):
            raise RefusedError(f"the engine does not take an input of shape {list(batch.shape)}")
        arrays: dict[str, Array] = {self._input: batch}
        for name in self._outputs:
            shape = tuple(self._context.get_tensor_shape(name))
            kind = self._trt.nptype(self._engine.get_tensor_dtype(name))
            arrays[name] = np.empty(shape, kind)
        addresses: dict[str, int] = {}
        try:
            for name, array in arrays.items():
                addresses[name] = self._stream.allocate(array.nbytes)
            self._execute(arrays, addresses)
        finally:
            for address in addresses.values():
                self._stream.free(address)
        return {name: arrays[name] for name in self._outputs}

    def _execute(self, arrays: Mapping[str, Array], addresses: Mapping[str, int]) -> None:
        for name, address in addresses.items():
            self._context.set_tensor_address(name, address)
        given = arrays[self._input]
        self._stream.upload(addresses[self._input], given.ctypes.data, given.nbytes)
        if not self._context.execute_async_v3(self._stream.handle):
            raise RefusedError("TensorRT cannot run the engine on this card")
        for name in self._outputs:
            array = arrays[name]
            self._stream.download(array.ctypes.data, addresses[name], array.nbytes)
        self._stream.wait()


def load(files: Mapping[str, bytes], main: str, precision: Precision, threads: int) -> Session:
    """See `engines.Loader`; precision is built into the engine, threads do not apply."""
    del precision, threads
    return _load("tensorrt", files[main], main)


def load_rtx(files: Mapping[str, bytes], main: str, precision: Precision, threads: int) -> Session:
    """The same for an engine of TensorRT-RTX."""
    del precision, threads
    return _load("tensorrt-rtx", files[main], main)


def _load(flavour: Flavour, content: bytes, main: str) -> Session:
    trt = tensorrt(flavour)
    stream = Stream()
    engine = trt.Runtime(trt.Logger(trt.Logger.ERROR)).deserialize_cuda_engine(content)
    if engine is None:
        raise RefusedError(f"TensorRT cannot load {main} on this card; was it built for it?")
    return TrtSession(trt, engine, stream)
