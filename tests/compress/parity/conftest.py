"""Networks with random weights, in all forms, and the faults of the benchmark `parity-localise`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from msgspec.structs import replace as change
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from edge_runtime.contract import InputSpec, Task
from edgefactory.compress.parity import Form
from edgefactory.datasets import header_of, read_snapshot, write_manifest
from edgefactory.training.specification import Specification

from ..conftest import write_snapshot

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))

if TYPE_CHECKING:
    from parity_networks import Network

UInt8 = npt.NDArray[np.uint8]

SIDE = 16


@pytest.fixture(scope="session")
def scenes() -> list[UInt8]:
    """Pictures of three times the detector's input, with detail."""
    rng = np.random.default_rng(9)
    return [_scene(rng, (144, 96)) for _ in range(24)]


def _scene(rng: np.random.Generator, size: tuple[int, int]) -> UInt8:
    rough = rng.integers(0, 256, (size[1] // 6, size[0] // 6, 3), np.uint8)
    return np.asarray(Image.fromarray(rough).resize(size, Image.Resampling.BICUBIC))


@pytest.fixture(scope="session")
def boxes(detector: bytes, scenes: list[UInt8]) -> Network:
    """The small detector of `tests/compress`; its weights are random, but decide."""
    return _network("boxes", detector, InputSpec(width=48, height=32), ("person",), scenes)


@pytest.fixture(scope="session")
def colours(scenes: list[UInt8]) -> Network:
    """A classifier of four classes with random weights."""
    spec = InputSpec(width=SIDE, height=SIDE)
    return _network("colours", classifier(), spec, ("a", "b", "c", "d"), scenes)


def _network(
    name: str, content: bytes, spec: InputSpec, classes: tuple[str, ...], scenes: list[UInt8]
) -> Network:
    from edge_runtime.contract import preprocess
    from parity_networks import Network

    task: Task = "detection" if len(classes) == 1 else "classification"
    form = Form("onnx", "model.onnx", {"model.onnx": content}, "model.onnx", "onnxruntime")
    inputs = [preprocess(scene, spec)[0] for scene in scenes[12:]]
    return Network(name, task, classes, spec, form, scenes[:12], inputs)


def classifier() -> bytes:
    """Transpose, Cast, Sub, Mul, two convolutions, the mean of the map, Gemm, Softmax; as ONNX that
    says what it is."""
    rng = np.random.default_rng(4)
    constants = {
        "mean": np.float32(128),
        "gain": np.float32(1 / 64),
        "first.weight": rng.normal(0, 0.3, (8, 3, 3, 3)).astype(np.float32),
        "first.bias": np.zeros(8, np.float32),
        "second.weight": rng.normal(0, 0.2, (16, 8, 3, 3)).astype(np.float32),
        "second.bias": np.zeros(16, np.float32),
        "axes": np.asarray([2, 3]),
        "last.weight": rng.normal(0, 3, (16, 4)).astype(np.float32),
        "last.bias": np.zeros(4, np.float32),
    }
    rows: list[tuple[str, list[str], str, dict[str, Any]]] = [
        ("Transpose", ["image"], "turned", {"perm": [0, 3, 1, 2]}),
        ("Cast", ["turned"], "levels", {"to": TensorProto.FLOAT}),
        ("Sub", ["levels", "mean"], "moved", {}),
        ("Mul", ["moved", "gain"], "scaled", {}),
        ("Conv", ["scaled", "first.weight", "first.bias"], "first", {"pads": [1] * 4}),
        ("Relu", ["first"], "first.relu", {}),
        ("Conv", ["first.relu", "second.weight", "second.bias"], "second", {"strides": [2, 2]}),
        ("Relu", ["second"], "second.relu", {}),
        ("ReduceMean", ["second.relu", "axes"], "mean.out", {"keepdims": 0}),
        ("Gemm", ["mean.out", "last.weight", "last.bias"], "last", {}),
        ("Softmax", ["last"], "probabilities", {"axis": 1}),
    ]
    graph = helper.make_graph(
        [helper.make_node(op, ins, [out], name=out, **more) for op, ins, out, more in rows],
        "colours",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 4])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    says = Specification("classification", ("a", "b", "c", "d"), InputSpec(width=SIDE, height=SIDE))
    helper.set_model_props(model, says.properties())
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    return content


@pytest.fixture(scope="session")
def named(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small classification snapshot of `tests/compress`, its classes called as the
    classifier's."""
    folder = write_snapshot(tmp_path_factory.mktemp("named") / "snapshot", "classification")
    data = read_snapshot(folder)
    names = {"0": "a", "1": "b"}
    items = [
        change(item, labels=tuple(change(o, class_=names[o.class_]) for o in item.labels))
        for item in data.items
    ]
    write_manifest(folder, change(header_of(data), classes=("a", "b", "c", "d")), items)
    return folder


@pytest.fixture
def boxes_file(tmp_path: Path, detector: bytes) -> Path:
    """The small detector as a file that says what it is."""
    model = onnx.load_from_string(detector)
    says = Specification("detection", ("person",), InputSpec(width=48, height=32))
    helper.set_model_props(model, says.properties())
    path = tmp_path / "boxes.onnx"
    onnx.save(model, path)
    return path
