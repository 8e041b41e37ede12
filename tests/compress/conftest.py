"""Small real things that the tests of `edgefactory.compress` share."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper
from PIL import Image

from edgefactory.datasets import Item, Label, Snapshot, Split, header_of, write_manifest

UInt8 = npt.NDArray[np.uint8]
MakeDetector = Callable[..., bytes]

WIDTH, HEIGHT, PEAKS = 48, 32, 6


class _Builder:
    """Collects nodes and constants of a small graph with fixed random weights."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, npt.NDArray[np.generic]] = {}
        self.rng = np.random.default_rng(7)

    def op(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def const(self, name: str, value: object, dtype: type[np.generic]) -> str:
        self.constants[name] = np.asarray(value, dtype)
        return name

    def conv(
        self, name: str, data: str, shape: tuple[int, int, int], stride: int = 1, pad: int = 0
    ) -> str:
        before, after, side = shape
        spread = np.sqrt(2 / (before * side * side))
        weight = self.rng.normal(0, spread, (after, before, side, side))
        inputs = [
            data,
            self.const(f"{name}.weight", weight, np.float32),
            self.const(f"{name}.bias", self.rng.normal(0, 0.1, after), np.float32),
        ]
        return self.op("Conv", inputs, name, strides=[stride] * 2, pads=[pad] * 4)


@pytest.fixture(scope="session")
def make_detector() -> MakeDetector:
    """A heat-map detector as ONNX; `mean` and `gain` normalise, `padded` pads its first layer,
    whose stride, and side where it is not padded, is `patch`."""

    def make(
        mean: object = 114.0,
        gain: object = 1 / 64,
        padded: bool = False,
        spell: str = "div",
        patch: int = 2,
    ) -> bytes:
        b = _Builder()
        b.op("Transpose", ["image"], "nchw", perm=[0, 3, 1, 2])
        b.op("Cast", ["nchw"], "float", to=TensorProto.FLOAT)
        b.op("Sub", ["float", b.const("mean", mean, np.float32)], "moved")
        if spell == "div":
            b.op("Div", ["moved", b.const("spread", 1 / np.asarray(gain), np.float32)], "levels")
        else:
            b.op("Mul", ["moved", b.const("gain", gain, np.float32)], "levels")
        side, pad = (3, 1) if padded else (patch, 0)
        b.op("Relu", [b.conv("stem", "levels", (3, 8, side), patch, pad)], "r0")
        b.op("Relu", [b.conv("near", "r0", (8, 8, 3), 1, 1)], "r1")
        b.op("Relu", [b.conv("far", "r1", (8, 16, 3), 2, 1)], "r2")
        back = b.conv("back", "r2", (16, 8, 1))
        scales = b.const("scales", [1, 1, 2, 2], np.float32)
        b.op("Resize", [back, "", scales], "up", mode="nearest", nearest_mode="floor",
             coordinate_transformation_mode="asymmetric")  # fmt: skip
        b.op("Add", ["r1", "up"], "sum")
        b.op("Relu", ["sum"], "r3")
        _decode(b, b.conv("heat", "r3", (8, 1, 1)), b.conv("reach", "r3", (8, 4, 1)))
        return _model(b)

    return make


def _decode(b: _Builder, heat: str, reach: str) -> None:
    """Peaks of the heat map, best first, and the box at each."""
    b.op("MaxPool", [heat], "pooled", kernel_shape=[3, 3], pads=[1] * 4, strides=[1, 1])
    b.op("GreaterOrEqual", [heat, "pooled"], "peak")
    b.op("Where", ["peak", heat, b.const("nowhere", -30, np.float32)], "peaks")
    b.op("Flatten", ["peaks"], "flat", axis=1)
    topk = helper.make_node(
        "TopK", ["flat", b.const("k", [PEAKS], np.int64)], ["top", "index"], name="top"
    )
    b.nodes.append(topk)
    b.op("Sigmoid", ["top"], "scores")
    b.op("Sub", ["index", "index"], "labels")
    b.op("Exp", [reach], "distance")
    b.op("Reshape", ["distance", b.const("rows", [0, 4, -1], np.int64)], "columns")
    b.op("Unsqueeze", ["index", b.const("axis", [1], np.int64)], "one")
    b.op("Tile", ["one", b.const("four", [1, 4, 1], np.int64)], "chosen")
    b.op("GatherElements", ["columns", "chosen"], "picked", axis=2)
    b.op("Transpose", ["picked"], "sides", perm=[0, 2, 1])
    sign = b.const("sign", [-4, -4, 4, 4], np.float32)
    b.op("Mul", ["sides", sign], "outward")
    b.op("Add", ["outward", b.const("centre", [24, 16, 24, 16], np.float32)], "boxes")


def _model(b: _Builder) -> bytes:
    def value(name: str, kind: int, *shape: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, kind, ["N", *shape])

    graph = helper.make_graph(
        b.nodes,
        "tiny",
        [value("image", TensorProto.UINT8, HEIGHT, WIDTH, 3)],
        [
            value("boxes", TensorProto.FLOAT, PEAKS, 4),
            value("scores", TensorProto.FLOAT, PEAKS),
            value("labels", TensorProto.INT64, PEAKS),
        ],
        [numpy_helper.from_array(v, n) for n, v in b.constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    return content


@pytest.fixture(scope="session")
def detector(make_detector: MakeDetector) -> bytes:
    """A heat-map detector as ONNX, FP32."""
    return make_detector()


@pytest.fixture(scope="session")
def pictures() -> list[UInt8]:
    """Sixteen inputs of smooth random colours."""
    rng = np.random.default_rng(3)
    return [_smooth(rng) for _ in range(16)]


@pytest.fixture
def batch(pictures: list[UInt8]) -> UInt8:
    """The inputs as one batch."""
    return np.stack(pictures)


def _smooth(rng: np.random.Generator) -> UInt8:
    rough = rng.integers(0, 256, (4, 6, 3), np.uint8)
    return np.asarray(Image.fromarray(rough).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))


@pytest.fixture(scope="session")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small detection snapshot on disk, not to be changed: pictures of twice the input's size."""
    return write_snapshot(tmp_path_factory.mktemp("detection") / "snapshot", "detection")


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small classification snapshot on disk, not to be changed."""
    return write_snapshot(tmp_path_factory.mktemp("digits") / "snapshot", "classification")


def write_snapshot(folder: Path, task: str) -> Path:
    """Twelve pictures in three splits, half of them train."""
    rng = np.random.default_rng(5)
    sizes: dict[Split, int] = {"train": 6, "val": 2, "test": 4}
    splits = [split for split, size in sizes.items() for _ in range(size)]
    items = []
    (folder / "images").mkdir(parents=True)
    for frame, split in enumerate(splits):
        stream = io.BytesIO()
        Image.fromarray(_smooth(rng)).resize((2 * WIDTH, 2 * HEIGHT)).save(stream, "JPEG")
        name = hashlib.sha256(stream.getvalue()).hexdigest()
        (folder / "images" / f"{name}.jpg").write_bytes(stream.getvalue())
        box = (10.0 + frame, 8.0, 40.0 + frame, 50.0) if task == "detection" else None
        kind = "person" if task == "detection" else str(frame % 2)
        label = Label(kind, box, "human:tester", 1.0, "reviewed")
        items.append(
            Item(name, f"images/{name}.jpg", 2 * WIDTH, 2 * HEIGHT, "clip", frame, float(frame),
                 split, (label,))
        )  # fmt: skip
    manifest = Snapshot(
        name="tiny",
        task="detection" if task == "detection" else "classification",
        classes=("person",) if task == "detection" else ("0", "1"),
        test_labels="human",
        truth_sha256=None,
        items=tuple(items),
    )
    write_manifest(folder, header_of(manifest), manifest.items)
    return folder
