"""The tasks of `tune_budget`: a snapshot, the recipe to begin with, the budgets, the time."""

import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

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

_LEARNED, _VAL = 600, 900  # digits to learn from, and where the test begins
_PARTS: Final = ((0, _LEARNED), (_LEARNED, _VAL), (_VAL, 1797))
_SIDE: Final = 48  # pixels of a picture
_PIECES, _PIECE = 4, 7  # of other digits, and their pixels

Pixels = npt.NDArray[np.uint8]


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


def _clutter(folder: Path) -> None:
    """Each picture holds a handwritten digit somewhere, and pieces of other digits elsewhere.

    Made as cluttered MNIST (Mnih et al. 2014, section 4.1.2), of scikit-learn's digits: the first
    writers' to learn from, the next ones' as val, all others as test.
    """
    from PIL import Image
    from sklearn.datasets import load_digits

    rows, classes = load_digits(return_X_y=True)  # in the order of their writers
    strokes = [(row.reshape(8, 8) * (255 / 16)).astype(np.uint8) for row in rows]
    items = []
    for number, kind in enumerate(classes):
        chance = np.random.default_rng(number)
        picture = np.zeros((_SIDE, _SIDE), np.uint8)
        first, last = next(part for part in _PARTS if part[0] <= number < part[1])
        for _ in range(_PIECES):
            other = Image.fromarray(strokes[int(chance.integers(first, last))]).resize((20, 20))
            x, y = chance.integers(0, 20 - _PIECE, 2)
            _laid(picture, np.asarray(other)[y : y + _PIECE, x : x + _PIECE], chance)
        side = int(chance.integers(16, 24))
        digit = Image.fromarray(strokes[number]).resize((side, side), Image.Resampling.BICUBIC)
        _laid(picture, np.asarray(digit), chance)
        stream = io.BytesIO()
        Image.fromarray(picture).save(stream, "PNG")
        name = hashlib.sha256(stream.getvalue()).hexdigest()
        split: Split = "train" if number < _LEARNED else "val" if number < _VAL else "test"
        write_file(folder / "images" / f"{name}.png", stream.getvalue())
        items.append(
            Item(
                id=name,
                file=f"images/{name}.png",
                width=_SIDE,
                height=_SIDE,
                source="digits",
                frame=number,
                captured_at=float(number),
                split=split,
                labels=(Label(str(kind), None, "human:UCI", 1.0, "reviewed"),),
                reviewed=True,
            )
        )
    header = Header("clutter", "classification", tuple("0123456789"), "human")
    write_manifest(folder, header, items)


def _laid(picture: Pixels, piece: Pixels, chance: np.random.Generator) -> None:
    """Lay a piece somewhere into the picture, in place; the brighter of both shows."""
    height, width = piece.shape
    y, x = (int(chance.integers(0, _SIDE - side + 1)) for side in (height, width))
    part = picture[y : y + height, x : x + width]
    np.maximum(part, piece, out=part)


TASKS: Final[Mapping[str, Task]] = {
    "cctv": Task(
        make=_cctv,
        recipe={
            "task": "detection",
            "resolution": [384, 288],
            "threads": 1,
            "augment": {"flip": 0.5, "paste": 0.5},
        },
        budgets=("latency_ms<=0.28@openvino",),
        metric="ap50",
        seconds=(60.0, 90.0),
    ),
    "clutter": Task(
        make=_clutter,
        recipe={
            "task": "classification",
            "resolution": [48, 48],
            "batch": 32,
            "threads": 1,
            "augment": {"shift": 0.15},
        },
        budgets=("latency_ms<=0.13@onnxruntime",),
        metric="accuracy",
        seconds=(40.0, 90.0),
    ),
}
