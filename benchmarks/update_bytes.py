"""What an update weighs on the wire: a fine-tuned INT8 model as a patch from the one before.

The CCTV specialist and a MobileNet, each trained on for one epoch at a low rate, from its own
weights with another seed, and quantized anew like any release. `<model>.share_of_full` is the patch
over the whole file, both as they are sent; the patch is applied as a site does it and must come
out. Peers: all INT8 variants, and the whole file under LZMA: what compression alone can do.
"""

import lzma
import sys
import tempfile
from pathlib import Path
from typing import Final

from compress_models import RECIPES, Made, models, said
from measured import Bound, Measured

SAYS = "an update's bytes: a patch of a fine-tuned INT8 model in shares of the whole file"

_NAMES: Final = ("cctv", "mobilenet")
_PORTABLE: Final = "qdq-int8"
_TUNING: Final = {"epochs": 1, "learning_rate": 1e-4, "seed": 1, "threads": 1}


def run(full: bool, /) -> Measured:
    """Both models; the long form also makes OpenVINO's INT8."""
    targets = ("onnx", "openvino") if full else ("onnx",)
    metrics: dict[str, float] = {}
    peers: dict[str, object] = {}
    for name, made in models(said(), _NAMES).items():
        with tempfile.TemporaryDirectory() as folder:
            old = _files(made.checkpoint, made.snapshot, Path(folder) / "old", targets)
            new = _files(_tuned(name, made), made.snapshot, Path(folder) / "new", targets)
        found = {variant: _share(old[variant], new[variant]) for variant in new}
        metrics[f"{name}.share_of_full"] = found[_PORTABLE]
        data = new[_PORTABLE]
        peers[name] = {
            "bytes": len(data),
            "share_of_full": found,
            "lzma_share_of_full": round(len(lzma.compress(data)) / len(data), 4),
        }
        sys.stderr.write(f"{name}: {peers[name]}\n")
    bounds = {metric: Bound("at_most", 0.35) for metric in metrics}
    return Measured(metrics, bounds=bounds, peers=peers)


def _tuned(name: str, made: Made) -> Path:
    """The checkpoint that learned on, in the cache beside the first."""
    from edgefactory.training import recipe_from, train
    from edgefactory.training.checkpoint import MODEL

    out = made.checkpoint.with_name(f"{made.checkpoint.name}-tuned")
    if not (out / MODEL).is_file():
        changed = {**RECIPES[name], **_TUNING, "weights": str(made.checkpoint)}
        recipe = recipe_from(changed, f"the benchmarks' recipe {name}, tuned")
        train(recipe, made.snapshot, out, made.checkpoint.with_name("scratch"), said())
    return out


def _files(
    checkpoint: Path, snapshot: Path, out: Path, targets: tuple[str, ...]
) -> dict[str, bytes]:
    """The weights' file of each INT8 variant."""
    import msgspec

    from edgefactory.compress import CompressSettings, compress

    settings = msgspec.convert({"targets": targets}, CompressSettings)
    made = compress(settings, checkpoint, snapshot, out, said())
    found = {}
    for variant in made.variants:
        if variant.precision == "int8":
            largest = max(variant.files, key=lambda name: variant.files[name].bytes)
            found[variant.name] = (out / variant.name / largest).read_bytes()
    return found


def _share(old: bytes, new: bytes) -> float:
    import bsdiff4

    from edge_runtime.trust.bspatch import apply_patch

    patch = bsdiff4.diff(old, new)
    if apply_patch(old, patch, len(new)) != new:
        raise AssertionError("the patch does not make the new file")
    return round(len(patch) / len(new), 4)
