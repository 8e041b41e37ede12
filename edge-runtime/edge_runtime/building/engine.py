"""An engine from a portable ONNX model and its recipe, and what its convolutions read.

One code for both flavours. Only TensorRT-RTX can be told which compute capabilities to build for,
on a machine without a card; ordinary TensorRT builds for the card that is here.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from edge_runtime.building.flavours import tensorrt, version
from edge_runtime.contract import TensorrtBuild, digest
from edge_runtime.errors import InputError, MissingError, RefusedError

_LOGGED = re.compile(
    r"^Name: (?P<name>[^,]+), LayerType: correlation, Inputs: \[ \{.*?Datatype: (?P<type>\w+)", re.M
)


@dataclass(frozen=True)
class Built:
    """An engine, its convolutions' input types by layer ("Int8"), and the builder's timings."""

    engine: bytes
    convolutions: Mapping[str, str]
    timing_cache: bytes = b""


def int8_share(convolutions: Mapping[str, str], expected: int = 0) -> float:
    """The share of the convolutions (input type by layer) that read INT8 data, 0..1; of `expected`
    ones where the builder names fewer."""
    count = max(len(convolutions), expected)
    return [*convolutions.values()].count("Int8") / count if count else 0.0


def shortfall(recipe: TensorrtBuild, convolutions: Mapping[str, str]) -> str | None:
    """Why an engine is not as INT8 as its recipe asks; None when it is."""
    if int8_share(convolutions, recipe.convolutions) >= recipe.int8_share:
        return None
    count = max(len(convolutions), recipe.convolutions)
    whole = [*convolutions.values()].count("Int8")
    others = [name for name, kind in convolutions.items() if kind != "Int8"]
    named = f"; the first other one is {others[0]!r}" if others else ""
    return f"it computes {whole} of {count} convolutions in INT8{named}"


def build(
    recipe: TensorrtBuild, source: bytes, hardware: Sequence[str] = (), timings: bytes = b""
) -> Built:
    """An engine of the portable ONNX model `source`, as `recipe` says.

    `hardware`: the capabilities ("sm86") to build for, TensorRT-RTX only; none: for the card that
    is here. `timings`: an earlier build's `timing_cache`. Whether it is INT8 enough is for the
    caller to judge, by `shortfall`. Raises MissingError without the flavour, or where it is too
    old; InputError when `source` is not the recipe's or holds an operation that TensorRT lacks
    (named with its layer); RefusedError when the builder gives no engine.
    """
    _check(recipe, source)
    trt = tensorrt(recipe.flavour)
    log: list[tuple[Any, str]] = []
    logger = _logger(trt, log)
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(source):
        error = parser.get_error(0)
        raise InputError(
            f"TensorRT cannot take {error.node_operator()} {error.node_name()!r}: "
            f"{' '.join(error.desc().split())[:160]}; keep it outside of the graph"
        )
    config = _configured(trt, builder, network, recipe)
    if hardware:
        config.num_compute_capabilities = len(hardware)
        for index, name in enumerate(hardware):
            config.set_compute_capability(getattr(trt.ComputeCapability, name.upper()), index)
    cache = config.create_timing_cache(timings) if recipe.timing_cache else None
    if cache is not None:
        config.set_timing_cache(cache, False)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        _forget_failure(trt, logger)
        last = next((m for s, m in reversed(log) if s == trt.ILogger.ERROR), "no reason given")
        raise RefusedError(f"TensorRT gives no engine: {' '.join(last.split())[:200]}")
    found = in_log(message for _, message in log) or _inspected(trt, logger, bytes(engine))
    return Built(bytes(engine), found, bytes(cache.serialize()) if cache is not None else b"")


def _check(recipe: TensorrtBuild, source: bytes) -> None:
    found = version(recipe.flavour)
    if _numbers(found) < _numbers(recipe.minimum_version):
        raise MissingError(
            f"{recipe.flavour} here is {found}; the recipe needs {recipe.minimum_version} or newer"
        )
    if digest(source) != recipe.source_sha256:
        raise InputError(
            f"the recipe is for the ONNX model {recipe.source_sha256[:12]}…, not for "
            f"{digest(source)[:12]}…: each travels with its own"
        )


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def _logger(trt: ModuleType, log: list[tuple[Any, str]]) -> Any:
    class Logger(trt.ILogger):  # type: ignore[misc, name-defined]  # untyped, known at run time
        """Keeps what the builder says."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            log.append((severity, message))

    return Logger()


def _configured(trt: ModuleType, builder: Any, network: Any, recipe: TensorrtBuild) -> Any:
    config = builder.create_builder_config()
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    config.builder_optimization_level = recipe.optimization_level
    if recipe.workspace_bytes:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, recipe.workspace_bytes)
    shapes = recipe.shapes
    if shapes is not None:
        profile = builder.create_optimization_profile()
        name = network.get_input(0).name
        profile.set_shape(name, shapes.smallest, shapes.best, shapes.largest)
        config.add_optimization_profile(profile)
    return config


def _forget_failure(trt: ModuleType, logger: Any) -> None:
    """Build an empty engine: in TensorRT-RTX 1.7 the build after one that failed still keeps to the
    failed one's capability, and falls back to float without a word."""
    builder = trt.Builder(logger)
    network = builder.create_network(0)
    taken = network.add_input("nothing", trt.float32, (1, 1))
    network.mark_output(network.add_identity(taken).get_output(0))
    builder.build_serialized_network(network, builder.create_builder_config())


def in_log(messages: Iterable[str]) -> dict[str, str]:
    """What each convolution reads, by TensorRT-RTX's detailed log."""
    layers = "\n".join(message for message in messages if message.startswith("Layers:"))
    return {found["name"]: found["type"] for found in _LOGGED.finditer(layers)}


def in_inspection(text: str) -> dict[str, str]:
    """What each convolution reads, by the JSON of TensorRT's engine inspector."""
    try:
        layers = json.loads(text).get("Layers", [])
    except (json.JSONDecodeError, AttributeError):
        return {}
    found = {}
    for layer in layers:
        if not isinstance(layer, dict):  # a name only, where the engine kept no details
            continue
        kind = f"{layer.get('ParameterType', '')} {layer.get('LayerType', '')}".lower()
        if "convolution" in kind and layer.get("Inputs"):
            read = layer["Inputs"][0]
            types = f"{read.get('Format/Datatype', '')} {read.get('Datatype', '')}"
            for name in str(layer.get("Name")).split(" || "):  # several made one
                found[name] = "Int8" if "int8" in types.lower() else types.strip()
    return found


def _inspected(trt: ModuleType, logger: Any, engine: bytes) -> dict[str, str]:
    """Ordinary TensorRT logs no types: the engine itself is asked, on the card."""
    loaded = trt.Runtime(logger).deserialize_cuda_engine(engine)
    if loaded is None:
        return {}
    inspector = loaded.create_engine_inspector()
    return in_inspection(inspector.get_engine_information(trt.LayerInformationFormat.JSON))
