"""The three models that the compression benchmarks squeeze, trained here and kept in the cache.

`cctv`: the scene specialist of the demo's clip. `mobilenet`, `resnet`: classifiers that tell crops
of that clip with a person from crops with nobody. Each learns from the labels of a general
detector on the clip's first part, and is judged on its last part by what people say is there.
"""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from person_crops import write_crops

_FORM: Final = "1"  # of the snapshots: raised when they are made otherwise
_SAY_SECONDS: Final = 10.0

_CROPS: Final[dict[str, object]] = {
    "task": "classification",
    "resize": "pillow-bilinear",
    "batch": 32,
    "threads": 1,
    "augment": {"flip": 0.5, "scale": 0.15, "shift": 0.05},
}
RECIPES: Final[Mapping[str, Mapping[str, object]]] = {
    "cctv": {  # the shipped recipe scene-specialist, at the demo's resolution
        "task": "detection",
        "resolution": [384, 288],
        "augment": {"flip": 0.5, "paste": 0.5},
    },
    "mobilenet": {
        **_CROPS,
        "model": "torchvision/mobilenet_v3_large",
        "resolution": [128, 128],
        "epochs": 5,
        "learning_rate": 0.003,
    },
    "resnet": {
        **_CROPS,
        "model": "torchvision/resnet18",
        "resolution": [224, 224],
        "epochs": 8,
        "learning_rate": 0.002,
    },
}
NAMES: Final = tuple(RECIPES)

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Made:
    """A trained model: the folders of its checkpoint, and of the snapshot that it was trained on,
    whose test split carries what people say."""

    checkpoint: Path
    snapshot: Path


def models(progress: Progress, names: tuple[str, ...] = NAMES) -> dict[str, Made]:
    """The models, made now where the cache lacks them (20 minutes of one core in all).

    A change of recipe, snapshot or training's result format makes another one beside.
    """
    frames, crops = snapshots(progress)
    return {name: _made(name, frames if name == "cctv" else crops, progress) for name in names}


def snapshots(progress: Progress) -> tuple[Path, Path]:
    """The folders of the frames' snapshot and of the crops'."""
    from edgefactory.datasets.manifest import MANIFEST

    frames, crops = (_cache() / f"{name}-{_FORM}" for name in ("frames", "crops"))
    if not (frames / MANIFEST).is_file():
        _label(frames, progress)
    if not (crops / MANIFEST).is_file():
        write_crops(frames, crops)
    return frames, crops


def said() -> Progress:
    """Progress on stderr, not too often."""
    last = [0.0]

    def say(done: int, total: int, what: str) -> None:
        now = time.monotonic()
        if now - last[0] > _SAY_SECONDS:
            last[0] = now
            sys.stderr.write(f"{what} {done}/{total}\n")

    return say


def _made(name: str, snapshot: Path, progress: Progress) -> Made:
    from edge_runtime.contract import digest, encode
    from edgefactory.datasets import snapshot_digest
    from edgefactory.training import recipe_from, train
    from edgefactory.training.checkpoint import MODEL

    recipe = recipe_from(RECIPES[name], f"the benchmarks' recipe {name}")
    key = digest(snapshot_digest(snapshot).encode() + encode(recipe))[:16]
    folder = _cache() / f"{name}-{key}"
    if not (folder / MODEL).is_file():
        train(recipe, snapshot, folder, _cache() / "scratch", progress)
    return Made(folder, snapshot)


def _label(out: Path, progress: Progress) -> None:
    """Every second frame of the clip: people labelled by the teacher, drawn tight; test by people.

    As `edgefactory specialise` does it.
    """
    from edgefactory.datasets import (
        CLIP_SHA256,
        AutoLabelSettings,
        auto_label,
        fetch_clip,
        fetch_teacher,
        native_precision,
        shipped_truth,
    )
    from edgefactory.datasets.formats import ImportSettings, import_video
    from edgefactory.datasets.sampling import SamplingSettings
    from edgefactory.datasets.teachers import EngineSettings, parse_teacher
    from edgefactory.datasets.tight_labels import tighten

    fetch_teacher()
    raw, loose = (out.with_name(f"{out.name}-{step}") for step in ("raw", "loose"))
    settings = ImportSettings(task="detection", classes=("person",))
    sampling = SamplingSettings(step=2)
    import_video(fetch_clip(), raw, settings, sampling, progress, shipped_truth(CLIP_SHA256))
    labelling = AutoLabelSettings(
        teachers=(parse_teacher("person", ()),),
        engine=EngineSettings("openvino", native_precision()),
    )
    auto_label(labelling, raw, loose, progress)
    tighten(loose, out, progress)


def _cache() -> Path:
    from edgefactory.datasets import default_cache

    return default_cache() / "benchmarks"


def main() -> None:
    """Make what is missing, and say where it lies."""
    for name, made in models(said()).items():
        sys.stdout.write(f"{name:<10} {made.checkpoint}\n")


if __name__ == "__main__":
    main()
