"""What a model is, as the Open Inference Protocol tells it."""

from typing import Any

from msgspec import UnsetType, to_builtins

from edge_runtime import __version__
from edge_runtime.contract import Release
from edge_runtime.hosting import Loaded
from edge_runtime.serving.oip import INPUT

EXTENSIONS = ("binary_tensor_data",)
PLATFORMS = {
    "onnxruntime": "onnxruntime_onnx",
    "openvino": "openvino",
    "tensorrt": "tensorrt_plan",
    "tensorrt-rtx": "tensorrt_rtx_plan",
}


def server() -> dict[str, Any]:
    """`GET /v2`."""
    return {"name": "edge-runtime", "version": __version__, "extensions": list(EXTENSIONS)}


def model(name: str, loaded: Loaded) -> dict[str, Any]:
    """`GET /v2/models/NAME`: tensors, and in `parameters` what decides and what it is.

    `signal` is how a recording becomes the picture, for a model of sequences.
    """
    release, slot = loaded.active.release, loaded.active.slot
    batch = loaded.session.input.shape[0]
    spec = release.input
    return {
        "name": name,
        "versions": [release.version],
        "platform": PLATFORMS[loaded.active.variant.engine],
        "inputs": [
            {
                "name": INPUT,
                "datatype": "UINT8",
                "shape": [-1 if batch is None else batch, spec.height, spec.width, 3],
            }
        ],
        "outputs": _outputs(release, -1 if batch is None else batch),
        "parameters": {
            "task": release.task,
            "labels": list(release.labels),
            "score_threshold": release.operating_point.score_threshold,
            "release": slot.release.sha256,
            "sequence": release.sequence,
            "variant": slot.variant,
            "engine": loaded.active.variant.engine,
            "precision": loaded.active.variant.precision,
            **({} if slot.provider is None else {"provider": slot.provider}),
            **({} if isinstance(spec.signal, UnsetType) else {"signal": to_builtins(spec.signal)}),
        },
    }


def _outputs(release: Release, batch: int) -> list[dict[str, Any]]:
    """By the graph contract (`OutputSpec`)."""
    known: dict[str, tuple[str, list[int]]] = {
        "boxes": ("FP32", [batch, -1, 4]),
        "scores": ("FP32", [batch, -1]),
        "labels": ("INT64", [batch, -1]),
        "probabilities": ("FP32", [batch, len(release.labels)]),
        "embedding": ("FP32", [batch, -1]),
    }
    return [
        {"name": name, "datatype": known[name][0], "shape": known[name][1]}
        for name in release.output.names
        if name in known
    ]
