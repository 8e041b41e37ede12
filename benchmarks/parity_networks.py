"""Small networks for `parity-localise`, trained in seconds on real pictures: two classifiers of
handwritten digits, two detectors of digits that lie about in pictures of the CCTV clip."""

import hashlib
import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from edge_runtime.contract import InputSpec, Task
from edgefactory.compress import lowering, openvino_ir, portable
from edgefactory.compress.parity import Form, Normals, Pipeline, contract_pipeline
from edgefactory.datasets import Header, Item, Label, Snapshot, Split, load_picture, write_manifest
from edgefactory.datasets.files import write_file

UInt8 = npt.NDArray[np.uint8]

_CLASSES: Final = tuple("0123456789")
_FEW: Final = _CLASSES[:4]
_SIDE: Final = 40  # pixels of a digit on a sheet
_SHEET: Final = (192, 160)
_SPLITS: Final[Mapping[Split, int]] = {"train": 320, "val": 20, "test": 80}
_PICTURES: Final[Mapping[Split, int]] = {"train": 1100, "val": 100, "test": 400}
RECIPES: Final[Mapping[str, Mapping[str, Any]]] = {
    "digits-narrow": {"task": "classification", "resolution": [16, 16], "width": 16},
    "digits-wide": {"task": "classification", "resolution": [24, 24], "width": 32},
    "sheet-shallow": {"task": "detection", "resolution": [96, 80], "width": 16},
    "sheet-deep": {"task": "detection", "resolution": [128, 112], "width": 32, "depth": 2},
}
_USUAL: Final[Mapping[str, Mapping[str, Any]]] = {
    "classification": {
        "epochs": 12,
        "batch": 64,
        "learning_rate": 0.005,
        "augment": {"scale": 0.1, "shift": 0.08, "brightness": 0.1, "offset": 0.0},
    },
    "detection": {
        "epochs": 36,
        "batch": 16,
        "learning_rate": 0.004,
        "augment": {"scale": 0.2, "shift": 0.1},
    },
}


@dataclass
class Network:
    """One network in all its forms, the pictures to ask it about, and right calibration inputs."""

    name: str
    task: Task
    classes: tuple[str, ...]
    input: InputSpec
    onnx: Form
    pictures: Sequence[UInt8]
    calibration: Sequence[UInt8]
    normals: Normals = field(init=False)

    def __post_init__(self) -> None:
        self.normals = Normals(self.calibration)

    @cached_property
    def ir(self) -> Form:
        """OpenVINO's IR in 32 bits."""
        files = openvino_ir.to_ir(self.onnx.content)
        return Form("openvino", "openvino-f32", files, "model.xml", "openvino")

    def quantized(self, way: str, calibration: Sequence[UInt8]) -> Form:
        """Quantized by "portable", "lowered" or "nncf" on these inputs."""
        if way == "nncf":
            files = openvino_ir.to_int8_ir(self.onnx.content, calibration)
            return Form("quantized", "openvino-int8", files, "model.xml", "openvino", "int8")
        content = portable.quantize_portable(self.onnx.content, calibration)
        if way == "lowered":
            content = lowering.lower(content)
        files = {"model.onnx": content}
        name = f"{way}-int8"
        return Form("quantized", name, files, "model.onnx", "onnxruntime", "int8")

    def pipeline(self, *forms: Form) -> Pipeline:
        """The pipeline of the contract with these forms after the ONNX file."""
        return contract_pipeline(self.task, self.input, (self.onnx, *forms))


def networks(folder: Path, names: Sequence[str] = tuple(RECIPES)) -> list[Network]:
    """Train them in `folder`; what is there already is taken as it is."""
    return [_network(folder, name) for name in names]


def _network(folder: Path, name: str) -> Network:
    from edgefactory.datasets import read_snapshot
    from edgefactory.training import export_onnx, load_checkpoint, recipe_from, train

    said = RECIPES[name]
    task: Task = said["task"]
    snapshot = folder / task
    if not (snapshot / "manifest.jsonl").exists():
        (_write_digits if task == "classification" else _write_sheets)(snapshot)
    checkpoint = folder / name
    if not (checkpoint / "model.safetensors").exists():
        recipe = recipe_from({**_USUAL[task], "threads": 1, "seed": 1, **said}, name)
        train(recipe, snapshot, checkpoint, folder / f"{name}-scratch", _quiet)
        export_onnx(checkpoint, folder / f"{name}.onnx")
    trained, data = load_checkpoint(checkpoint), read_snapshot(snapshot)
    form = Form(
        "onnx", "model.onnx", {"model.onnx": (folder / f"{name}.onnx").read_bytes()},
        "model.onnx", "onnxruntime",
    )  # fmt: skip
    return Network(
        name,
        task,
        trained.classes,
        trained.input,
        form,
        _pictures(snapshot, data, "test", 400),
        _inputs(_pictures(snapshot, data, "train", 48), trained.input),
    )


def _pictures(folder: Path, data: Snapshot, split: Split, most: int) -> list[UInt8]:
    return [load_picture(folder, item) for item in data.split(split)[:most]]


def _inputs(pictures: Sequence[UInt8], spec: InputSpec) -> list[UInt8]:
    from edge_runtime.contract import preprocess

    return [preprocess(picture, spec)[0] for picture in pictures]


def _quiet(done: int, total: int, what: str) -> None:
    if total and done == total:
        sys.stderr.write(f"{what}\n")


def _digits() -> list[tuple[UInt8, str]]:
    """scikit-learn's digits in their order, which is by writer: ink 0..255 [8,8] and class."""
    from sklearn.datasets import load_digits

    pixels, classes = load_digits(return_X_y=True)
    return [
        ((row.reshape(8, 8) * (255 / 16)).astype(np.uint8), str(label))
        for row, label in zip(pixels, classes, strict=True)
    ]


def _frames() -> list[UInt8]:
    """Some frames of the CCTV clip."""
    import av

    from edgefactory.datasets import fetch_clip

    with av.open(str(fetch_clip())) as clip:
        frames = [
            f.to_ndarray(format="rgb24") for i, f in enumerate(clip.decode(video=0)) if not i % 40
        ]
    return [np.asarray(frame, np.uint8) for frame in frames]


def _inked(ground: UInt8, ink: UInt8, colour: npt.NDArray[np.float64]) -> UInt8:
    """A digit written on a ground [S,S,3] in a colour."""
    side = ground.shape[0]
    large = np.asarray(Image.fromarray(ink).resize((side, side), Image.Resampling.BICUBIC), float)
    part = large[:, :, None] / 255
    return np.asarray(np.rint(ground * (1 - part) + colour * part), np.uint8)


def _write_digits(folder: Path) -> None:
    """Digits of 64 pixels in a colour on a cut of the clip."""
    rng = np.random.default_rng(11)
    frames, digits = _frames(), _digits()
    made = []
    for number, split in enumerate(_of(_PICTURES)):
        ink, name = digits[number]
        ground = _cut(frames, rng, (64, 64))
        picture = _inked(ground, ink, _colour(rng))
        made.append((picture, split, (Label(name, None, "human:UCI", 1.0, "reviewed"),)))
    _write(folder, "classification", _CLASSES, made)


def _write_sheets(folder: Path) -> None:
    """Pictures of the clip with one to five digits on them, which do not overlap."""
    rng = np.random.default_rng(13)
    frames = _frames()
    digits = [one for one in _digits() if one[1] in _FEW]
    made = []
    for split in _of(_SPLITS):
        sheet = _cut(frames, rng, _SHEET)
        cells = [(x, y) for x in range(0, 161, 40) for y in range(0, 121, 40)]
        labels = []
        for place in rng.permutation(len(cells))[: int(rng.integers(2, 7))]:
            side = int(rng.integers(22, _SIDE))
            x, y = (int(c + rng.integers(0, 3)) for c in cells[place])
            x, y = min(x, _SHEET[0] - side), min(y, _SHEET[1] - side)
            ink, name = digits[int(rng.integers(len(digits)))]
            sheet[y : y + side, x : x + side] = _inked(
                sheet[y : y + side, x : x + side], ink, _colour(rng)
            )
            box = (float(x), float(y), float(x + side), float(y + side))
            labels.append(Label(name, box, "human:UCI", 1.0, "reviewed"))
        made.append((sheet, split, tuple(labels)))
    _write(folder, "detection", _FEW, made)


def _of(sizes: Mapping[Split, int]) -> list[Split]:
    return [split for split, size in sizes.items() for _ in range(size)]


def _colour(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Red ink on the whole: so that colours matter."""
    return np.asarray([rng.uniform(190, 255), rng.uniform(0, 90), rng.uniform(0, 60)])


def _cut(frames: Sequence[UInt8], rng: np.random.Generator, size: tuple[int, int]) -> UInt8:
    frame = frames[int(rng.integers(len(frames)))]
    x = int(rng.integers(frame.shape[1] - size[0]))
    y = int(rng.integers(frame.shape[0] - size[1]))
    return frame[y : y + size[1], x : x + size[0]].copy()


def _write(
    folder: Path,
    task: Task,
    classes: tuple[str, ...],
    made: Sequence[tuple[UInt8, Split, tuple[Label, ...]]],
) -> None:
    items = []
    for number, (picture, split, labels) in enumerate(made):
        stream = io.BytesIO()
        Image.fromarray(picture).save(stream, "PNG")
        name = hashlib.sha256(stream.getvalue()).hexdigest()
        write_file(folder / "images" / f"{name}.png", stream.getvalue())
        height, width = picture.shape[:2]
        items.append(
            Item(name, f"images/{name}.png", width, height, "made", number, float(number), split,
                 labels, reviewed=True)
        )  # fmt: skip
    kind: Any = "detection" if task == "detection" else "classification"
    write_manifest(folder, Header("parity", kind, classes, "human"), items)
