"""TensorRT-RTX engines from the portable INT8 form, built where there is no GPU.

The builder is told which compute capabilities to build for. For each, a probe shows in the
builder's own detailed log whether the convolutions read INT8 data; a capability for which they do
not (SM75: the builder falls back to float without a word) is left out, with that reason.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from edgefactory.compress.graph import parse
from edgefactory.compress.portable import check_portable
from edgefactory.datasets.errors import InputError, MissingError

INT8_SHARE: Final = 0.95  # of the convolutions that must read INT8 data
_LARGEST_BATCH: Final = 8
_CONVOLUTION: Final = re.compile(
    r"^Name: (?P<name>[^,]+), LayerType: correlation, Inputs: \[ \{.*?Datatype: (?P<type>\w+)", re.M
)


@dataclass(frozen=True)
class Built:
    """An engine, the capabilities it is for, and its convolutions' input types by layer."""

    engine: bytes
    hardware: tuple[str, ...]
    convolutions: dict[str, str]
    left_out: dict[str, str]


def unavailable() -> str | None:
    """Why no engine can be built here; None when one can."""
    if importlib.util.find_spec("tensorrt_rtx") is None:
        return "tensorrt-rtx is not installed: pip install tensorrt-rtx"
    return None


def build_engine(
    portable: bytes,
    hardware: Sequence[str],
    seen: Callable[[str], None] | None = None,
) -> Built:
    """One engine for those compute capabilities ("sm86") that compute `portable` in INT8.

    Raises MissingError without tensorrt-rtx, InputError when `portable` is not the portable form,
    holds an operation that TensorRT lacks (named with its layer), or no capability is left.
    """
    reason = unavailable()
    if reason is not None:
        raise MissingError(reason)
    check_portable(parse(portable, "the portable INT8 model"))
    report = seen or (lambda _: None)
    left_out: dict[str, str] = {}
    for name in hardware:
        report(name)
        problem = _probe(portable, name)
        if problem is not None:
            left_out[name] = problem
    kept = tuple(name for name in hardware if name not in left_out)
    if not kept:
        reasons = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        raise InputError(f"no compute capability is left ({reasons or 'none was asked for'})")
    try:
        engine, convolutions = _build(portable, kept)
    except _Refused as error:
        raise InputError(f"TensorRT cannot build an engine: {error}") from error
    shortfall = _shortfall(convolutions)
    if shortfall is not None:
        raise InputError(f"the engine for {', '.join(kept)} is not INT8: {shortfall}")
    return Built(engine, kept, convolutions, left_out)


class _Refused(Exception):  # noqa: N818 - never leaves this file
    """The builder gives no engine for these capabilities; `str` is its reason."""


def _probe(portable: bytes, capability: str) -> str | None:
    """Why the engine would not compute in INT8 on `capability`; None when it does."""
    import tensorrt_rtx as trt

    if not hasattr(trt.ComputeCapability, capability.upper()):
        return f"tensorrt-rtx {trt.__version__} does not build for it"
    try:
        _, convolutions = _build(portable, (capability,))
    except _Refused as error:
        return str(error)
    return _shortfall(convolutions)


def _build(portable: bytes, hardware: Sequence[str]) -> tuple[bytes, dict[str, str]]:
    import tensorrt_rtx as trt

    log: list[tuple[Any, str]] = []

    class Logger(trt.ILogger):  # type: ignore[misc]  # untyped base
        """Keeps what the builder says."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            log.append((severity, message))

    logger = Logger()
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(portable):
        error = parser.get_error(0)
        raise InputError(
            f"TensorRT cannot take {error.node_operator()} {error.node_name()!r}: "
            f"{' '.join(error.desc().split())[:160]}; keep it outside of the graph"
        )
    config = builder.create_builder_config()
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    config.num_compute_capabilities = len(hardware)
    for index, name in enumerate(hardware):
        config.set_compute_capability(getattr(trt.ComputeCapability, name.upper()), index)
    _allow_batches(builder, config, network)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        last = next((m for s, m in reversed(log) if s == trt.ILogger.ERROR), "no reason given")
        raise _Refused(" ".join(last.split())[:200])
    layers = "\n".join(message for _, message in log if message.startswith("Layers:"))
    found = {m["name"]: m["type"] for m in _CONVOLUTION.finditer(layers)}
    return bytes(engine), found


def _allow_batches(builder: Any, config: Any, network: Any) -> None:
    """A free batch axis needs a profile: 1 to _LARGEST_BATCH pictures, best at 1."""
    entry = network.get_input(0)
    shape = tuple(entry.shape)
    if shape[0] != -1:
        return
    profile = builder.create_optimization_profile()
    profile.set_shape(entry.name, (1, *shape[1:]), (1, *shape[1:]), (_LARGEST_BATCH, *shape[1:]))
    config.add_optimization_profile(profile)


def int8_share(convolutions: dict[str, str]) -> float:
    """The share of the convolutions (input type by layer) that read INT8 data, 0..1."""
    kinds = list(convolutions.values())
    return kinds.count("Int8") / len(kinds) if kinds else 0.0


def _shortfall(convolutions: dict[str, str]) -> str | None:
    if int8_share(convolutions) >= INT8_SHARE:
        return None
    kinds = list(convolutions.values())
    return f"it computes {kinds.count('Int8')} of {len(kinds)} convolutions in INT8"
