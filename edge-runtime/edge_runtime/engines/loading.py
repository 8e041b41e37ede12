"""Which engines there are, which are here, and how a variant is loaded into one."""

import contextlib
import importlib
import importlib.util
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from edge_runtime import __version__
from edge_runtime.contract import Engine, Precision, Provider, Variant
from edge_runtime.engines.providers import PACKAGES, providers_here
from edge_runtime.engines.tensors import InputTensor

if TYPE_CHECKING:
    from edge_runtime.contract import Outputs
    from edge_runtime.engines.arrays import UInt8


class Session(Protocol):
    """A loaded model. Several threads may call it at once."""

    @property
    def input(self) -> InputTensor:
        """The graph's one input; by the graph contract uint8 [N,H,W,3]."""

    def run(self, batch: "UInt8") -> "Outputs":
        """The graph's outputs for `batch` (uint8 [N,H,W,3]). Raises RefusedError when it fails."""


class Loader(Protocol):
    """Loads `files` (name → verified bytes), of which `main` is the one to open."""

    def __call__(
        self, files: Mapping[str, bytes], main: str, precision: Precision, threads: int
    ) -> Session: ...


@dataclass(frozen=True)
class EngineEntry:
    """An engine: its loader, the package it needs, the distributions that bring it, and how the
    first of them is installed."""

    loader: Callable[[], Loader]
    package: str
    distributions: tuple[str, ...]
    hint: str


def _onnxruntime() -> Loader:
    from edge_runtime.engines import ort

    return ort.load


def _openvino() -> Loader:
    from edge_runtime.engines import ov

    return ov.load


def _tensorrt() -> Loader:
    from edge_runtime.engines import trt

    return trt.load


def _tensorrt_rtx() -> Loader:
    from edge_runtime.engines import trt

    return trt.load_rtx


ENGINES: dict[Engine, EngineEntry] = {
    "onnxruntime": EngineEntry(
        _onnxruntime,
        "onnxruntime",
        ("onnxruntime", *PACKAGES.values()),
        "pip install onnxruntime",
    ),
    "openvino": EngineEntry(
        _openvino, "openvino", ("openvino",), "pip install 'edgefactory-runtime[openvino]'"
    ),
    "tensorrt": EngineEntry(
        _tensorrt,
        "tensorrt",
        ("tensorrt",),
        "it comes with JetPack on a Jetson; elsewhere pip install tensorrt",
    ),
    "tensorrt-rtx": EngineEntry(
        _tensorrt_rtx,
        "tensorrt_rtx",
        ("tensorrt-rtx",),
        "pip install tensorrt-rtx, on a box with an NVIDIA card and its driver",
    ),
}


def unavailable(engine: Engine, provider: Provider | None = None) -> str | None:
    """Why `engine`, or its `provider`, cannot be used here and how to get it; None when it can."""
    entry = ENGINES[engine]
    if importlib.util.find_spec(entry.package) is None:
        return f"{engine} is not installed: {entry.hint}"
    if engine in ("tensorrt", "tensorrt-rtx"):
        from edge_runtime.engines import cuda

        return cuda.unavailable()
    if provider is not None and provider not in providers_here():
        package = PACKAGES[provider]
        return f"ONNX Runtime has no {provider} provider here: pip install {package} in its place"
    return None


def engine_version(engine: Engine) -> str:
    """The version of the installed `engine`, "" when it is not installed."""
    return next(filter(None, map(_version, ENGINES[engine].distributions)), "")


def versions() -> str:
    """This runtime and every installed engine, with their versions: what a verdict holds for."""
    here = {"edge-runtime": __version__}
    names = [name for entry in ENGINES.values() for name in entry.distributions]
    here.update((name, _version(name)) for name in names)
    return "; ".join(f"{name} {version}" for name, version in here.items() if version)


def _version(distribution: str) -> str:
    from importlib import metadata  # 4 MB, which a process that only runs a model does not need

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def begin_import(engine: Engine, provider: Provider | None) -> None:
    """Begin to load ONNX Runtime beside other work: reading and hashing leave Python free."""
    if engine == "onnxruntime" and unavailable(engine) is None:
        prepare = _prepare if provider is None else _prepare_provider
        threading.Thread(target=prepare, name="import", daemon=True).start()


def _prepare() -> None:
    from edge_runtime.engines import onnxruntime_c

    with contextlib.suppress(RuntimeError):  # loading the model says why
        onnxruntime_c.prepare()


def _prepare_provider() -> None:
    with contextlib.suppress(ImportError):
        importlib.import_module("edge_runtime.engines.ort_provider")


def load(
    variant: Variant,
    files: Mapping[str, bytes],
    threads: int,
    provider: Provider | None = None,
) -> Session:
    """Load `variant` from the verified bytes of its `files`, to run on `threads` CPU threads.

    `provider` runs it inside ONNX Runtime; None is the engine itself. Raises MissingError when the
    engine is not here, RefusedError when it does not load.
    """
    from edge_runtime.errors import MissingError, RefusedError

    reason = unavailable(variant.engine, provider)
    if reason is not None:
        raise MissingError(reason)
    if variant.main not in files:
        raise RefusedError(f"variant {variant.name} has no file {variant.main}")
    if provider is not None:
        from edge_runtime.engines import ort_provider

        return ort_provider.load(files, variant.main, variant.precision, threads, provider)
    return ENGINES[variant.engine].loader()(files, variant.main, variant.precision, threads)
