"""The tasks of `tune_budget`: a snapshot, the recipe to begin with, the budgets, the time."""

import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from edgefactory.datasets import (
    CLIP_SHA256,
    Header,
    Item,
    Label,
    Split,
    fetch_clip,
    fetch_teacher,
    shipped_truth,
    write_manifest,
)
from edgefactory.datasets.auto_labelling import AutoLabelSettings, auto_label
from edgefactory.datasets.files import write_file
from edgefactory.datasets.formats import ImportSettings, import_video
from edgefactory.datasets.manifest import MANIFEST
from edgefactory.datasets.sampling import SamplingSettings
from edgefactory.datasets.teachers import parse_teacher

_LEARNED, _VAL = 150, 600  # digits to learn from, and where the test begins


@dataclass(frozen=True)
class Task:
    """`make` fills a folder with the snapshot; `seconds` are each way's, short and full."""

    make: Callable[[Path], None]
    recipe: Mapping[str, object]
    budgets: tuple[str, ...]
    metric: str
    seconds: tuple[float, float]


def snapshot(task: Task, folder: Path) -> Path:
    """The task's snapshot in `folder`, made if it is not there."""
    if not (folder / MANIFEST).is_file():
        task.make(folder)
    return folder


def _cctv(folder: Path) -> None:
    """Every second frame of the clip, people in it labelled by the teacher; test by people."""
    raw = folder.with_name(f"{folder.name}-raw")
    sampling = SamplingSettings(step=2)
    settings = ImportSettings(task="detection", classes=("person",))
    if not (raw / MANIFEST).is_file():
        import_video(fetch_clip(), raw, settings, sampling, None, shipped_truth(CLIP_SHA256))
    fetch_teacher()
    auto_label(AutoLabelSettings(teachers=(parse_teacher("person", ()),)), raw, folder)


def _digits(folder: Path) -> None:
    """The first writers' digits to learn from, the next ones' as val, all others as test."""
    from PIL import Image
    from sklearn.datasets import load_digits

    pixels, classes = load_digits(return_X_y=True)  # in the order of their writers
    items = []
    for number, (row, kind) in enumerate(zip(pixels, classes, strict=True)):
        grey = (row.reshape(8, 8) * (255 / 16)).astype(np.uint8)
        stream = io.BytesIO()
        Image.fromarray(grey).resize((32, 32), Image.Resampling.BICUBIC).save(stream, "PNG")
        name = hashlib.sha256(stream.getvalue()).hexdigest()
        split: Split = "train" if number < _LEARNED else "val" if number < _VAL else "test"
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
                labels=(Label(str(kind), None, "human:UCI", 1.0, "reviewed"),),
                reviewed=True,
            )
        )
    write_manifest(folder, Header("digits", "classification", tuple("0123456789"), "human"), items)


TASKS: Final[Mapping[str, Task]] = {
    "cctv": Task(
        make=_cctv,
        recipe={
            "task": "detection",
            "resolution": [384, 288],
            "threads": 1,
            "augment": {"flip": 0.5, "paste": 0.5},
        },
        budgets=("latency_ms<=0.38@openvino",),
        metric="ap50",
        seconds=(60.0, 120.0),
    ),
    "digits": Task(
        make=_digits,
        recipe={
            "task": "classification",
            "resolution": [32, 32],
            "batch": 32,
            "threads": 1,
        },
        budgets=("latency_ms<=0.08@onnxruntime", "bytes<=450kB@onnxruntime"),
        metric="accuracy",
        seconds=(40.0, 60.0),
    ),
}
