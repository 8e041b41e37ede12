"""ONNX Runtime, the default engine: on the CPU, or by one of its providers."""

import contextlib
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as states

from edge_runtime.contract import Outputs, Precision, Provider, digest
from edge_runtime.engines import providers
from edge_runtime.engines.arrays import UInt8
from edge_runtime.engines.compiled import Compiled
from edge_runtime.engines.loading import Session
from edge_runtime.engines.tensors import InputTensor
from edge_runtime.errors import RefusedError
from edge_runtime.machine import host

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


class OrtSession:
    """A graph loaded by ONNX Runtime."""

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
            raise RefusedError(f"ONNX Runtime cannot run the model: {_line(error)}") from error
        return {name: np.asarray(value) for name, value in zip(self._outputs, values, strict=True)}


def load(
    files: Mapping[str, bytes],
    main: str,
    precision: Precision,
    threads: int,
    provider: Provider | None = None,
    kept: Compiled | None = None,
) -> Session:
    """See `engines.Loader`. On its own kernels (`provider` None) the graph carries its precision,
    and is taken from `kept` as it was optimized before, or kept there.

    Raises RefusedError also when the provider does not load, or would leave the whole graph to the
    CPU: ONNX Runtime itself would go on without it.
    """
    if provider is None:
        session = _optimized(files[main], main, threads, kept)
    else:
        options = _options(threads)
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        told = providers.options(provider, precision, threads)
        session = _open(files[main], main, options, (providers.NAMES[provider], told))
    if len(session.get_inputs()) != 1:
        raise RefusedError(f"{main} takes {len(session.get_inputs())} inputs; expected `image`")
    reason = _left_out(session, provider) if provider is not None else None
    if reason is not None:
        raise RefusedError(f"{main} does not run by ONNX Runtime's {provider} provider: {reason}")
    return OrtSession(session)


def _optimized(
    model: bytes, main: str, threads: int, kept: Compiled | None
) -> onnxruntime.InferenceSession:
    """The model on ONNX Runtime's own kernels.

    It keeps Python's lock while it loads, and nothing else runs here: what it has optimized before
    is loaded in half of the time. Raises RefusedError.
    """
    if kept is None:
        return _open(model, main, _options(threads))
    key, options = _key(kept.model), _options(threads)
    found = kept.get(key)
    if found is not None:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        with contextlib.suppress(RefusedError):  # of another build of the same version
            return _open(found, main, options)
        options = _options(threads)
    with os.fdopen(os.memfd_create("optimized"), "rb") as file:
        options.optimized_model_filepath = f"/proc/self/fd/{file.fileno()}"
        try:
            session = _open(model, main, options)
        except RefusedError:  # in itself, or because it cannot be written
            return _open(model, main, _options(threads))
        kept.put(key, file.read())
    return session


def _key(model: tuple[str, ...]) -> str:
    """What was made of the files of those digests holds for this version on this kind of CPU: its
    weights lie as they are read here."""
    machine = host(())
    parts = (onnxruntime.__version__, *model, machine.cpu, *machine.flags)
    return digest(" ".join(parts).encode())


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _open(
    model: bytes, main: str, options: onnxruntime.SessionOptions, *more: Any
) -> onnxruntime.InferenceSession:
    """The model, on the CPU, or on providers before it. Raises RefusedError."""
    asked = [*more, "CPUExecutionProvider"]
    try:
        return onnxruntime.InferenceSession(model, options, providers=asked, enable_fallback=0)
    except _ERRORS as error:
        raise RefusedError(f"ONNX Runtime cannot load {main}: {_line(error)}") from error


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


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
