"""Engines on this machine's CPU: bytes in, a session that runs pictures out.

What is executed is what was hashed: a variant's files are read once, checked against the digests
in `variants.json`, and the engine is given those very bytes. Precision and threads are always
stated: left alone, OpenVINO computes in bf16 on CPUs that have it.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from edge_runtime.contract import Engine, Outputs, Precision, Variant, digest
from edge_runtime.openvino_core import openvino_core
from edgefactory.datasets.errors import InputError, MissingError, TrustError
from edgefactory.datasets.files import read_bytes
from edgefactory.datasets.onnx_sessions import first_line, ort_refusals, session_options

UInt8 = npt.NDArray[np.uint8]

MAX_VARIANT_BYTES: Final = 2**30
DISTRIBUTIONS: Final[Mapping[Engine, str]] = {
    "onnxruntime": "onnxruntime",
    "openvino": "openvino",
    "tensorrt": "tensorrt",
    "tensorrt-rtx": "tensorrt-rtx",
}


class Session(Protocol):
    """A loaded model."""

    def run(self, batch: UInt8) -> Outputs:
        """The graph's outputs for `batch`, uint8 [N,H,W,3]; N may differ from call to call."""


@dataclass(frozen=True)
class Loaded:
    """A variant in its engine, and the digests of the bytes that were loaded."""

    session: Session
    engine: Engine
    precision: Precision
    threads: int
    file_sha256: str
    files_sha256: tuple[str, ...]
    bytes: int

    @property
    def engine_version(self) -> str:
        """The version of the engine that runs it."""
        return engine_version(self.engine)


def open_variant(variant: Variant, folder: Path, threads: int) -> Loaded:
    """Load `variant` from its files in `folder`, to run on `threads` CPU threads.

    Raises TrustError when a file is not what the variant says, MissingError when its engine is not
    here, InputError when the engine refuses it.
    """
    files = {name: read_file(folder, variant, name) for name in sorted(variant.files)}
    return Loaded(
        session=load(variant.engine, files, variant.main, variant.precision, threads),
        engine=variant.engine,
        precision=variant.precision,
        threads=threads,
        file_sha256=digest(files[variant.main]),
        files_sha256=tuple(digest(content) for content in files.values()),
        bytes=sum(len(content) for content in files.values()),
    )


def read_file(folder: Path, variant: Variant, name: str) -> bytes:
    """The bytes of the variant's file `name` in `folder`; TrustError when they were changed."""
    path = folder / name
    content = read_bytes(path, MAX_VARIANT_BYTES, "variant file")
    found, expected = digest(content), variant.files[name].sha256
    if found != expected:
        raise TrustError(
            f"{path} has the SHA-256 {found[:12]}…, variants.json says {expected[:12]}…: "
            "the file was changed; compress again"
        )
    return content


def load(
    engine: Engine, files: Mapping[str, bytes], main: str, precision: Precision, threads: int
) -> Session:
    """Load the file `main` of `files` into `engine`. Errors as `open_variant`."""
    reason = unavailable(engine)
    if reason is not None:
        raise MissingError(reason)
    if engine == "onnxruntime":
        return _OrtSession(files[main], main, threads)
    return _OvSession(files, main, precision, threads)


def unavailable(engine: Engine) -> str | None:
    """Why `engine` cannot run models here; None when it can."""
    if engine in ("tensorrt", "tensorrt-rtx"):
        return "TensorRT engines need an NVIDIA GPU to run; none is used by this stage"
    if importlib.util.find_spec(engine) is None:
        return f"{engine} is not installed: pip install {DISTRIBUTIONS[engine]}"
    return None


def engine_version(engine: Engine) -> str:
    """The installed version of `engine`; "" when it is not installed."""
    try:
        return importlib.metadata.version(DISTRIBUTIONS[engine])
    except importlib.metadata.PackageNotFoundError:
        return ""


class _OrtSession:
    """A graph in ONNX Runtime."""

    def __init__(self, content: bytes, name: str, threads: int) -> None:
        import onnxruntime as ort

        try:
            self._session = ort.InferenceSession(
                content, session_options(threads, exact=False), providers=["CPUExecutionProvider"]
            )
        except ort_refusals() as error:
            raise InputError(f"ONNX Runtime cannot load {name}: {first_line(error)}") from error
        self._input = self._session.get_inputs()[0].name
        self._names = [output.name for output in self._session.get_outputs()]

    def run(self, batch: UInt8) -> Outputs:
        """See `Session.run`."""
        values = self._session.run(self._names, {self._input: batch})
        return dict(zip(self._names, values, strict=True))


class _OvSession:
    """A graph in OpenVINO, compiled once for each batch size: a static shape is faster."""

    def __init__(
        self, files: Mapping[str, bytes], main: str, precision: Precision, threads: int
    ) -> None:
        self._core = openvino_core()
        self._hints = {
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
        }
        weights = files.get(Path(main).with_suffix(".bin").name)
        try:
            self._model = (
                self._core.read_model(files[main], weights)
                if weights
                else self._core.read_model(files[main])
            )
        except RuntimeError as error:
            raise InputError(f"OpenVINO cannot load {main}: {first_line(error)}") from error
        self._names = [output.get_any_name() for output in self._model.outputs]
        self._requests: dict[tuple[int, ...], Callable[[UInt8], list[Any]]] = {}

    def run(self, batch: UInt8) -> Outputs:
        """See `Session.run`."""
        infer = self._requests.get(batch.shape)
        if infer is None:
            infer = self._requests[batch.shape] = self._compile(batch.shape)
        return dict(zip(self._names, infer(batch), strict=True))

    def _compile(self, shape: tuple[int, ...]) -> Callable[[UInt8], list[Any]]:
        self._model.reshape(list(shape))
        compiled = self._core.compile_model(self._model, "CPU", self._hints)
        request = compiled.create_infer_request()
        pixels, count = request.get_input_tensor().data, len(self._names)

        def infer(batch: UInt8, _compiled: object = compiled) -> list[Any]:
            pixels[:] = batch
            request.infer()
            return [request.get_output_tensor(i).data.copy() for i in range(count)]

        return infer
