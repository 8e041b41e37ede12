"""Specialists against their teachers, each on its own scene, against what people say is there.

Three real tasks: `cctv`, people in the CCTV clip, whose teacher is a general person detector that
looks at tiles; `face`, the face of a man who talks in a car, whose teacher is CenterFace; `digits`,
handwritten digits of writers that the teacher (a ResNet-18 that has learned other writers) has not
seen. Every specialist learns from its teacher's labels alone, on the first part of the scene, and
is judged on the last part, which neither has seen: AP50 of the boxes, accuracy of the digits.

`<task>.specialist` is the mean over seeds, `<task>.time_ratio` the teacher's processor time a
picture by the specialist's, on one engine and one thread, from a decoded picture to decisions;
`floor` is what the specialist's multiplications alone would take, `engine_ms` the bare engine. The
settings were chosen by the val splits, whose labels are the teachers'. FULL=1 takes three seeds.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgefactory.datasets.files import write_file
from measured import Bound, Measured

SAYS = "specialists against their teachers on three scenes, by human truth"

SLACK: Final = 0.01  # of AP50 or accuracy: what counts as equal
_SAY_SECONDS: Final = 10.0

CCTV: Final[dict[str, object]] = {
    "task": "detection",
    "resolution": [384, 288],
    "augment": {"flip": 0.5, "paste": 0.5},
}
FACE: Final[dict[str, object]] = {
    "task": "detection",
    "resolution": [176, 144],
    "depth": 2,
    "epochs": 80,
    "batch": 8,
    "threads": 1,
    "augment": {"flip": 0.5, "scale": 0.5, "shift": 0.3},
}
DIGITS: Final[dict[str, object]] = {
    "task": "classification",
    "resolution": [16, 16],
    "width": 16,
    "epochs": 40,
    "batch": 64,
    "learning_rate": 0.005,
    "ema": 0.95,
    "threads": 1,
    "augment": {"scale": 0.1, "shift": 0.08, "brightness": 0.1, "offset": 0.0},
    "distil": {"soft": 0.7},
}
TEACHER: Final[dict[str, object]] = {
    "task": "classification",
    "model": "torchvision/resnet18",
    "resolution": [64, 64],
    "epochs": 12,
    "batch": 32,
    "learning_rate": 0.002,
    "augment": {"scale": 0.2, "shift": 0.1, "brightness": 0.1, "offset": 0.0},
}
_SEEN, _SCENE = 600, 1400  # digits that the teacher learned from, and where the test begins


@dataclass(frozen=True)
class Scene:
    """What `specialise` is given, for one task; `recipe` without its seed."""

    source: Path
    teacher: str
    recipe: Mapping[str, object]
    options: Mapping[str, Any]


def run(full: bool, /) -> Measured:
    """One seed of each task, or three."""
    seeds = range(3 if full else 1)
    metrics: dict[str, float] = {}
    bounds: dict[str, Bound] = {}
    peers: dict[str, object] = {}
    floor: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="specialise-") as folder:
        for task, make in SCENES.items():
            place = Path(folder) / task
            scene = make(place / "source")
            found = [_specialised(scene, place / "made", seed) for seed in seeds]
            sides = [one["comparison"] for one in found]
            metric = sides[0]["metric"]
            mine = [side["first"]["figures"][metric]["value"] for side in sides]
            teacher = sides[0]["second"]["figures"][metric]["value"]
            metrics[f"{task}.specialist"] = round(float(np.mean(mine)), 4)
            metrics[f"{task}.teacher"] = round(teacher, 4)
            ratios = [side["time_ratio"]["value"] for side in sides]
            metrics[f"{task}.time_ratio"] = round(float(np.median(ratios)), 1)
            bounds[f"{task}.specialist"] = Bound("at_least", round(teacher - SLACK, 4))
            engine_ms, floor[f"{task}.frame_ms"] = _bare(place / "made" / "model.onnx")
            peers[task] = {
                "metric": metric,
                "engine_ms": engine_ms,
                "by_seed": [_row(one) for one in found],
            }
    return Measured(metrics, floor, bounds, peers)


def _bare(model: Path) -> tuple[float, float]:
    """What the engine alone takes for a picture, and what its multiplications would: in ms."""
    from edgefactory.compress.bench import LocalBench, floor_ms

    found = LocalBench().measure(model.read_bytes(), "openvino", "f32", 1)
    least = floor_ms(model, found.peak_gflops)
    assert least is not None
    return round(found.latency_ms, 4), round(least, 4)


def _row(made: Mapping[str, Any]) -> dict[str, object]:
    """What a seed's table row holds."""
    side = made["comparison"]
    return {
        "specialist": side["first"]["figures"],
        "teacher": side["second"]["figures"],
        "difference": side["difference"],
        "time_ratio": side["time_ratio"],
        "frame_ms": [side["first"]["frame_ms"], side["second"]["frame_ms"]],
        "pictures": side["pictures"],
        "parameters": made["parameters"],
        "macs": made["macs"],
        "bytes": made["bytes"],
    }


def _specialised(scene: Scene, out: Path, seed: int) -> dict[str, Any]:
    import msgspec

    from edgefactory.pipelines.specialising import Wishes, specialise
    from edgefactory.training import recipe_from

    recipe = recipe_from({**scene.recipe, "seed": seed}, "the benchmark's recipe")
    wishes = Wishes(scene.source, scene.teacher, out, **scene.options)
    made = specialise(wishes, lambda _snapshot: recipe, _said())
    found: dict[str, Any] = msgspec.to_builtins(made)
    return found


def _cctv(_folder: Path) -> Scene:
    from edgefactory.datasets import CLIP_SHA256, fetch_clip, shipped_truth
    from edgefactory.datasets.sampling import SamplingSettings

    options = {
        "truth": shipped_truth(CLIP_SHA256),
        "tighten": True,
        "sampling": SamplingSettings(step=2),
    }
    return Scene(fetch_clip(), "person", CCTV, options)


def _face(_folder: Path) -> Scene:
    from edgefactory.datasets import fetch_face_clip, shipped_truth
    from edgefactory.datasets.fetching import FACE_CLIP

    return Scene(fetch_face_clip(), "face", FACE, {"truth": shipped_truth(FACE_CLIP.sha256)})


def _digits(folder: Path) -> Scene:
    """Three snapshots: what the teacher learns from, and the scene of other writers."""
    from edgefactory.training import export_onnx, recipe_from, train

    _write_digits(folder / "seen", range(_SEEN), val_from=_SEEN - 100, test_from=_SEEN)
    _write_digits(folder / "scene", range(_SEEN, 1797), val_from=_SCENE - 150, test_from=_SCENE)
    recipe = recipe_from(TEACHER, "the teacher's recipe")
    checkpoint = folder / "teacher"
    train(recipe, folder / "seen", checkpoint, folder / "scratch", _said())
    file = folder / "teacher.onnx"
    export_onnx(checkpoint, file)
    options = {"classes": tuple("0123456789")}
    recipe_of = {**DIGITS, "distil": {"soft": 0.7, "teacher": f"onnx:{file}"}}
    return Scene(folder / "scene", f"onnx:{file}", recipe_of, options)


def _write_digits(folder: Path, chosen: range, *, val_from: int, test_from: int) -> None:
    """A snapshot of scikit-learn's digits in their order, which is by writer; labels as imported
    in train and val of what the teacher learns from, and in every test split."""
    import hashlib
    import io

    from PIL import Image
    from sklearn.datasets import load_digits

    from edgefactory.datasets import Header, Item, Label, Split, write_manifest

    pixels, classes = load_digits(return_X_y=True)
    items = []
    for number in chosen:
        grey = (pixels[number].reshape(8, 8) * (255 / 16)).astype(np.uint8)
        stream = io.BytesIO()
        Image.fromarray(grey).resize((32, 32), Image.Resampling.BICUBIC).save(stream, "PNG")
        name = hashlib.sha256(stream.getvalue()).hexdigest()
        split: Split = "train" if number < val_from else "val" if number < test_from else "test"
        taught = split == "test" or chosen.start == 0
        label = Label(str(classes[number]), None, "human:UCI", 1.0, "reviewed")
        write_file(folder / "images" / f"{name}.png", stream.getvalue())
        items.append(
            Item(
                id=name,
                file=f"images/{name}.png",
                width=32,
                height=32,
                source="digits",
                frame=number,
                captured_at=float(number),
                split=split,
                labels=(label,) if taught else (),
                reviewed=taught,
            )
        )
    header = Header("digits", "classification", tuple("0123456789"), "human")
    write_manifest(folder, header, items)


def _said() -> Callable[[int, int, str], None]:
    """Progress on stderr, not too often."""
    return partial(_say, [0.0])


def _say(last: list[float], done: int, total: int, what: str) -> None:
    now = time.monotonic()
    if now - last[0] > _SAY_SECONDS:
        last[0] = now
        sys.stderr.write(f"{what} {done}/{total}\n")


SCENES: Final[Mapping[str, Callable[[Path], Scene]]] = {
    "cctv": _cctv,
    "face": _face,
    "digits": _digits,
}
