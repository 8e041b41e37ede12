"""TensorRT from the portable INT8 form: engines for cards that are not here, and recipes.

TensorRT-RTX is told which compute capabilities to build for. For each, a probe shows in the
builder's own detailed log whether the convolutions read INT8 data; a capability for which they do
not (SM75: the builder falls back to float without a word) is left out, with that reason.

Ordinary TensorRT builds only for the card that it runs on: a Jetson gets the portable form with a
recipe, by which the runtime builds (`edge_runtime.building`, the same code as here) and attests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from edge_runtime import building
from edge_runtime.building import int8_share, shortfall
from edge_runtime.contract import Flavour, Shapes, TensorrtBuild, digest
from edge_runtime.errors import EdgeRuntimeError, RefusedError
from edgefactory.compress.admission import admit
from edgefactory.compress.graph import parse
from edgefactory.compress.portable import check_portable
from edgefactory.datasets.errors import InputError, MissingError

__all__ = ["INT8_SHARE", "Built", "build_engine", "int8_share", "recipe", "unavailable"]

INT8_SHARE: Final = 0.95  # of the convolutions that must read INT8 data
_LARGEST_BATCH: Final = 8
_OLDEST: Final[dict[Flavour, str]] = {
    "tensorrt": "10.3.0",  # JetPack 6.1; strongly typed networks with INT8 by Q/DQ
    "tensorrt-rtx": "1.0.0",
}


@dataclass(frozen=True)
class Built:
    """An engine, the capabilities it is for, and its convolutions' input types by layer."""

    engine: bytes
    hardware: tuple[str, ...]
    convolutions: dict[str, str]
    left_out: dict[str, str]


def unavailable() -> str | None:
    """Why no engine can be built here; None when one can."""
    return building.unavailable("tensorrt-rtx")


def recipe(portable: bytes, flavour: Flavour) -> TensorrtBuild:
    """How an engine of the portable form `portable` is built by `flavour`.

    Raises InputError when `portable` is not the portable form, or for what `admission` does not
    take.
    """
    shapes = _shapes(portable)
    graph = parse(portable, "the portable INT8 model")
    check_portable(graph)
    return TensorrtBuild(
        schema="tensorrt-build/1",
        flavour=flavour,
        minimum_version=_OLDEST[flavour],
        source_sha256=digest(portable),
        convolutions=sum(node.op_type in ("Conv", "ConvTranspose") for node in graph.nodes),
        int8_share=INT8_SHARE,
        shapes=shapes,
        timing_cache=flavour == "tensorrt",
    )


def _shapes(portable: bytes) -> Shapes | None:
    """A free batch axis: 1 to _LARGEST_BATCH pictures, best at 1; None where nothing is free."""
    width, height = admit(portable, "the portable INT8 model")
    if parse(portable, "the portable INT8 model").input_shape()[0] is not None:
        return None
    one = (1, height, width, 3)
    return Shapes(one, one, (_LARGEST_BATCH, height, width, 3))


def build_engine(
    portable: bytes,
    hardware: Sequence[str],
    seen: Callable[[str], None] | None = None,
) -> Built:
    """One engine of TensorRT-RTX for those compute capabilities ("sm86") that compute `portable`
    in INT8.

    Raises MissingError without tensorrt-rtx, InputError as `recipe`, when `portable` holds an
    operation that TensorRT lacks (named with its layer), or when no capability is left.
    """
    reason = unavailable()
    if reason is not None:
        raise MissingError(reason)
    wanted = recipe(portable, "tensorrt-rtx")
    report = seen or (lambda _: None)
    left_out: dict[str, str] = {}
    for name in hardware:
        report(name)
        problem = _probe(wanted, portable, name)
        if problem is not None:
            left_out[name] = problem
    kept = tuple(name for name in hardware if name not in left_out)
    if not kept:
        reasons = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        raise InputError(f"no compute capability is left ({reasons or 'none was asked for'})")
    try:
        built = building.build(wanted, portable, kept)
    except EdgeRuntimeError as error:
        raise InputError(str(error)) from error
    problem = shortfall(wanted, built.convolutions)
    if problem is not None:
        raise InputError(f"the engine for {', '.join(kept)} is not INT8: {problem}")
    return Built(built.engine, kept, dict(built.convolutions), left_out)


def _probe(wanted: TensorrtBuild, portable: bytes, capability: str) -> str | None:
    """Why the engine would not compute in INT8 on `capability`; None when it does."""
    trt = building.tensorrt("tensorrt-rtx")
    if not hasattr(trt.ComputeCapability, capability.upper()):
        return f"tensorrt-rtx {trt.__version__} does not build for it"
    try:
        built = building.build(wanted, portable, (capability,))
    except RefusedError as error:
        return str(error)
    except EdgeRuntimeError as error:
        raise InputError(str(error)) from error
    return shortfall(wanted, built.convolutions)
