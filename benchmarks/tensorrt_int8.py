"""The share of convolutions that TensorRT-RTX computes in INT8, by the builder's own log.

For the CCTV specialist, a MobileNet-class and a ResNet-class network, each through our own export
and quantization; a network's weights do not matter for it, so they are random. One engine a model
and compute capability, built without a card. `<model>.int8_conv_share` is the least over the
capabilities for which INT8 is promised; `peers` has each one's, and convolutions in float by name.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from measured import Bound, Measured

SAYS = "share of convolutions that TensorRT-RTX engines compute in INT8, by the build log"

RECIPES: Final[Mapping[str, Mapping[str, Any]]] = {
    "cctv": {"task": "detection", "resolution": (384, 288)},
    "mobilenet": {
        "task": "classification",
        "model": "torchvision/mobilenet_v3_large",
        "resolution": (128, 128),
    },
    "resnet": {
        "task": "classification",
        "model": "torchvision/resnet18",
        "resolution": (160, 160),
    },
}
_CAPABILITIES: Final = ("sm80", "sm86", "sm89", "sm120")
_FLOAT: Final = ("sm75",)  # known to fall back to float: measured, not promised
_PICTURES: Final = 8  # to calibrate on: ranges do not decide what is INT8


@dataclass(frozen=True)
class Share:
    """What one build log says."""

    share: float
    convolutions: int
    in_float: tuple[str, ...]
    reason: str = ""


def run(full: bool, /) -> Measured:
    """Some three minutes of one core; `full` adds SM75."""
    capabilities = _CAPABILITIES + (_FLOAT if full else ())
    found = {name: shares(portable(recipe), capabilities) for name, recipe in RECIPES.items()}
    least = {
        f"{name}.int8_conv_share": min(by[c].share for c in _CAPABILITIES)
        for name, by in found.items()
    }
    return Measured(
        metrics={name: round(share, 4) for name, share in least.items()},
        floor=dict.fromkeys(least, 1.0),
        bounds={name: Bound("at_least", 0.95) for name in least},
        peers={
            name: {
                capability: {
                    "share": round(one.share, 4),
                    "convolutions": one.convolutions,
                    "in_float": list(one.in_float),
                    "reason": one.reason,
                }
                for capability, one in by.items()
            }
            for name, by in found.items()
        },
    )


def portable(recipe: Mapping[str, Any]) -> bytes:
    """The portable INT8 form of an untrained network."""
    from edgefactory.compress.portable import quantize_portable
    from edgefactory.training import Recipe, export_onnx
    from edgefactory.training.tuning.untrained import write_untrained

    made = Recipe(**recipe)
    classes = ("person",) if made.task == "detection" else ("none", "person")
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "untrained"
        write_untrained(made, classes, None, checkpoint)
        fp32 = export_onnx(checkpoint, Path(folder) / "model.onnx").path.read_bytes()
    width, height = made.resolution
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (height, width, 3), np.uint8) for _ in range(_PICTURES)]
    return quantize_portable(fp32, pictures)


def shares(model: bytes, capabilities: tuple[str, ...]) -> dict[str, Share]:
    """What the log of each capability's build says of the portable form `model`."""
    from edge_runtime.building import build, int8_share
    from edge_runtime.errors import RefusedError
    from edgefactory.compress.tensorrt import recipe

    wanted = recipe(model, "tensorrt-rtx")
    found = {}
    for capability in capabilities:
        try:
            types = build(wanted, model, (capability,)).convolutions
        except RefusedError as error:
            found[capability] = Share(0.0, 0, (), str(error))
            continue
        floats = tuple(name for name, kind in types.items() if kind != "Int8")
        share = int8_share(types, wanted.convolutions)
        found[capability] = Share(share, max(len(types), wanted.convolutions), floats)
    return found
