"""Who may run a graph inside ONNX Runtime beside its own kernels, and where that is allowed.

ONNX Runtime hands a graph to *execution providers*; which there are depends on the wheel. The
signed release decides where a variant may run, so a provider counts as what it computes on:
OpenVINO's on the CPU, CUDA's on the card.
"""

import importlib.util
from collections.abc import Collection, Mapping
from typing import Final

from edge_runtime.contract import Precision, Provider, Variant

NAMES: Final[Mapping[Provider, str]] = {
    "openvino": "OpenVINOExecutionProvider",
    "cuda": "CUDAExecutionProvider",
}
PACKAGES: Final[Mapping[Provider, str]] = {
    "openvino": "onnxruntime-openvino",
    "cuda": "onnxruntime-gpu",
}
_CPU: Final = "cpu"


def ways(
    variant: Variant, hardware: Collection[str], here: Collection[Provider]
) -> tuple[Provider | None, ...]:
    """By whom `variant` may be run on a box of `hardware` whose wheel has the providers `here`.

    None is the engine itself; () says that nobody here may.
    """
    if variant.engine != "onnxruntime":
        return (None,)
    on_cpu = _CPU in variant.hardware and _CPU in hardware
    on_card = bool((set(variant.hardware) & set(hardware)) - {_CPU})
    found: list[Provider | None] = [None] if on_cpu else []
    if on_cpu and "openvino" in here:
        found.append("openvino")
    if on_card and "cuda" in here:
        found.append("cuda")
    return tuple(found)


def providers_here() -> frozenset[Provider]:
    """The providers that the installed ONNX Runtime was built with; whether they load is seen when
    a model is loaded."""
    if importlib.util.find_spec("onnxruntime") is None:
        return frozenset()
    from edge_runtime.engines import onnxruntime_c

    try:
        built_with = onnxruntime_c.providers()
    except RuntimeError:  # loading a model says why
        return frozenset()
    return frozenset(provider for provider, name in NAMES.items() if name in built_with)


def options(provider: Provider, precision: Precision, threads: int) -> dict[str, str]:
    """What `provider` is told, so that it computes as was proven: in the stated precision.

    Left alone, CUDA multiplies f32 matrices as TF32, with 10 bits of mantissa, and OpenVINO may
    choose bf16 where the CPU has it.
    """
    if provider == "cuda":
        return {"use_tf32": "0"}
    import json  # 2 ms, which nobody else waits for

    hints = {
        "INFERENCE_PRECISION_HINT": precision if precision in ("bf16", "f16") else "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": str(threads),
        "NUM_STREAMS": "1",
    }
    return {"device_type": "CPU", "load_config": json.dumps({"CPU": hints})}
