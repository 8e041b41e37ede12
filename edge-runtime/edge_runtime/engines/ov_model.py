"""A model in OpenVINO on the CPU, from verified files or from what was compiled of them before.

The precision is always stated: left alone, OpenVINO computes in bf16 on CPUs that have it, and
what ran would not be what was proven. NumPy is not needed here, so that a worker does without it.
"""

import contextlib
import functools
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from edge_runtime.contract import Precision, digest
from edge_runtime.engines import openvino_c
from edge_runtime.engines.compiled import Compiled
from edge_runtime.engines.openvino_c import Handle, Model, Request
from edge_runtime.engines.tensors import InputTensor, OutputTensor
from edge_runtime.errors import RefusedError
from edge_runtime.machine import host


class Form(msgspec.Struct, frozen=True):
    """What a graph takes and gives, which is kept beside what was compiled."""

    input: InputTensor
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """A model and how it is compiled; `identity` says which, and by which OpenVINO."""

    files: Mapping[str, bytes | memoryview]
    main: str
    properties: Mapping[str, str]
    identity: str
    kept: Compiled | None

    @functools.cached_property
    def model(self) -> Model:
        """The graph. It is read only if something must be compiled: that takes a while."""
        weights = self.files.get(self.main.removesuffix(".xml") + ".bin", b"")
        return Model(bytes(self.files[self.main]), bytes(weights))

    def first(self) -> tuple[Form, Handle]:
        """What the graph takes, and it compiled: for one picture where the batch axis is free."""
        found = self._found("first")
        if found is not None:
            return msgspec.json.decode(found[0], type=Form), found[1]
        form = Form(self.model.input(), self.model.outputs())
        return form, self._made("first", msgspec.json.encode(form), form, 1)

    def of(self, count: int, form: Form) -> Handle:
        """The graph compiled for `count` pictures."""
        found = self._found(str(count))
        return self._made(str(count), b"", form, count) if found is None else found[1]

    def _found(self, name: str) -> tuple[bytes, Handle] | None:
        data = None if self.kept is None else self.kept.get(self._key(name))
        if data is None:
            return None
        blob = 4 + int.from_bytes(data[:4], "big")
        with contextlib.suppress(RuntimeError):  # of another build of the same version
            return data[4:blob], openvino_c.imported(data, blob, self.properties)
        return None

    def _made(self, name: str, head: bytes, form: Form, count: int) -> Handle:
        first, *rest = form.input.shape
        if first is None and None not in rest:
            self.model.reshape([count, *(axis or 0 for axis in rest)])
        made = self.model.compile(self.properties)
        if self.kept is not None:
            blob = openvino_c.exported(made)
            self.kept.put(self._key(name), len(head).to_bytes(4, "big") + head + blob)
        return made

    def _key(self, name: str) -> str:
        machine = host(())
        return digest(" ".join([self.identity, name, machine.cpu, *machine.flags]).encode())


class OvModel:
    """A model in OpenVINO; requests of several threads run one after the other.

    It is compiled for each size of batch that comes: a graph whose batch axis is left free runs a
    fifth longer, and as long as that was what ran here it was not what had been measured.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._form, compiled = source.first()
        self.input = self._form.input
        self._requests = {self.input.shape[0] or 1: Request(compiled)}
        self.lock = threading.Lock()

    def run(self, address: int, shape: Sequence[int]) -> dict[str, OutputTensor]:
        """The outputs for the uint8 values of `shape` at `address`, until the next run: hold `lock`
        as long as you look at them. Raises RefusedError."""
        expected = zip(self.input.shape, shape, strict=False)  # OpenVINO itself does not look
        if len(shape) != len(self.input.shape) or any(e not in {None, s} for e, s in expected):
            raise RefusedError(
                f"OpenVINO cannot run the model: it takes {list(self.input.shape)}, "
                f"not {list(shape)}"
            )
        names = self._form.outputs
        try:
            values = self._request(shape[0]).run(address, shape, names)
        except RuntimeError as error:
            raise RefusedError(f"OpenVINO cannot run the model: {_line(error)}") from error
        return dict(zip(names, values, strict=True))

    def _request(self, count: int) -> Request:
        """A request for batches of `count` pictures."""
        if count not in self._requests:
            self._requests[count] = Request(self._source.of(count, self._form))
        return self._requests[count]


def load(
    files: Mapping[str, bytes | memoryview],
    main: str,
    precision: Precision,
    threads: int,
    kept: Compiled | None = None,
) -> OvModel:
    """An IR (`model.xml` with `model.bin`) or an ONNX file. Raises RefusedError.

    What compiling makes is taken from `kept`, or kept there.
    """
    properties = {
        "INFERENCE_PRECISION_HINT": precision if precision in ("bf16", "f16") else "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": str(threads),
        "NUM_STREAMS": "1",
    }
    digests = kept.model if kept is not None else ()
    try:
        identity = " ".join([openvino_c.version(), precision, str(threads), main, *digests])
        return OvModel(Source(files, main, properties, identity, kept))
    except RuntimeError as error:
        raise RefusedError(f"OpenVINO cannot load {main}: {_line(error)}") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
