"""OpenVINO on the CPU: an optional engine.

The precision is always stated: left alone, OpenVINO computes in bf16 on CPUs that have it, and
what ran would not be what was proven.
"""

import contextlib
import functools
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np

from edge_runtime.contract import Outputs, Precision, digest
from edge_runtime.engines.compiled import Compiled
from edge_runtime.engines.loading import InputTensor, Session, UInt8
from edge_runtime.errors import RefusedError
from edge_runtime.machine import host
from edge_runtime.openvino_core import openvino_core, quiet_openvino

_DEVICE: Final = "CPU"


class Form(msgspec.Struct, frozen=True):
    """What a graph takes and gives, which is kept beside what was compiled."""

    input: InputTensor
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """A model and how it is compiled; `identity` says which, and by which OpenVINO."""

    files: Mapping[str, bytes]
    main: str
    hints: Mapping[Any, Any]
    identity: str
    kept: Compiled | None

    @functools.cached_property
    def model(self) -> Any:
        """The graph. It is read only if something must be compiled: that takes a while."""
        weights = self.files.get(self.main.removesuffix(".xml") + ".bin", b"")
        more = (weights,) if weights else ()
        return openvino_core().read_model(self.files[self.main], *more)

    def first(self) -> tuple[Form, Any]:
        """What the graph takes, and it compiled: for one picture where the batch axis is free."""
        head, found = self._found("first")
        if found is not None:
            return msgspec.json.decode(head, type=Form), found
        taken = self.model.inputs[0]
        shape = tuple(d.get_length() if d.is_static else None for d in taken.get_partial_shape())
        names = tuple(output.get_any_name() for output in self.model.outputs)
        form = Form(InputTensor(taken.element_type.to_dtype().name, shape), names)
        return form, self._made("first", msgspec.json.encode(form), form, 1)

    def of(self, count: int, form: Form) -> Any:
        """The graph compiled for `count` pictures."""
        _, found = self._found(str(count))
        return self._made(str(count), b"", form, count) if found is None else found

    def _found(self, name: str) -> tuple[bytes, Any]:
        data = None if self.kept is None else self.kept.get(self._key(name))
        if data is None:
            return b"", None
        size = int.from_bytes(data[:4], "big")
        blob = bytes(data[4 + size :])
        with contextlib.suppress(RuntimeError):  # of another build of the same version
            found = openvino_core().import_model(blob, _DEVICE, self.hints)
            return bytes(data[4 : 4 + size]), found
        return b"", None

    def _made(self, name: str, head: bytes, form: Form, count: int) -> Any:
        first, *rest = form.input.shape
        if first is None and None not in rest:
            self.model.reshape([count, *rest])
        made = openvino_core().compile_model(self.model, _DEVICE, self.hints)
        if self.kept is not None:
            blob = made.export_model().getvalue()
            self.kept.put(self._key(name), len(head).to_bytes(4, "big") + head + blob)
        return made

    def _key(self, name: str) -> str:
        machine = host(())
        return digest(" ".join([self.identity, name, machine.cpu, *machine.flags]).encode())


class OvSession:
    """A model in OpenVINO; requests of several threads run one after the other.

    It is compiled for each size of batch that comes: a graph whose batch axis is left free runs a
    fifth longer, and as long as that was what ran here it was not what had been measured.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._form, compiled = source.first()
        self.input = self._form.input
        self._requests = {self.input.shape[0] or 1: compiled.create_infer_request()}
        self._lock = threading.Lock()

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
            names = self._form.outputs
            return {name: np.array(value) for name, value in zip(names, values, strict=True)}

    def _request(self, count: int) -> Any:
        """A request for batches of `count` pictures."""
        if count not in self._requests:
            compiled = self._source.of(count, self._form)
            self._requests[count] = compiled.create_infer_request()
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
    openvino = quiet_openvino()
    hint = {"bf16": openvino.Type.bf16, "f16": openvino.Type.f16}.get(precision, openvino.Type.f32)
    properties = openvino.properties
    hints = {
        properties.hint.inference_precision: hint,
        properties.hint.performance_mode: properties.hint.PerformanceMode.LATENCY,
        properties.inference_num_threads: threads,
        properties.num_streams: 1,
    }
    digests = [digest(files[name]) for name in sorted(files)] if kept is not None else []
    identity = " ".join([openvino.__version__, precision, str(threads), main, *digests])
    try:
        return OvSession(Source(files, main, hints, identity, kept))
    except RuntimeError as error:
        raise RefusedError(f"OpenVINO cannot load {main}: {_line(error)}") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
