"""Small real things that the tests of `edgefactory.datasets` share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

MakeVideo = Callable[..., Path]


@pytest.fixture
def make_video(tmp_path: Path) -> MakeVideo:
    """Writes a video of plain frames that differ; `frames`, `name` and `size` may be given."""

    def make(frames: int = 40, name: str = "clip.avi", size: tuple[int, int] = (64, 48)) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream("mpeg4", rate=10)
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p"
            stream.bit_rate = 4_000_000
            for index in range(frames):
                pixels = picture(index, size)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            container.mux(stream.encode(None))
        return path

    return make


def picture(index: int, size: tuple[int, int] = (64, 48)) -> NDArray[np.uint8]:
    """A grey picture [H,W,3] whose brightness tells its index."""
    return np.full((size[1], size[0], 3), 20 + 5 * index, np.uint8)


@pytest.fixture
def tiny_teacher(tmp_path: Path) -> Path:
    """An ONNX model with the teacher's interface that always finds the same two boxes."""
    boxes = np.array([[[30, 60, 90, 240], [150, 60, 210, 240], [0, 0, 0, 0]]], np.float32)
    scores = np.array([[0.9, 0.3, 0.1]], np.float32)
    nodes = [
        helper.make_node("Cast", ["image"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["real"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Reshape", ["nothing", "shape3"], ["nothing3"]),
        helper.make_node("Reshape", ["nothing", "shape2"], ["nothing2"]),
        helper.make_node("Add", ["nothing3", "fixed_boxes"], ["boxes"]),
        helper.make_node("Add", ["nothing2", "fixed_scores"], ["scores"]),
    ]
    constants: dict[str, NDArray[np.generic]] = {
        "zero": np.array(0, np.float32),
        "shape3": np.array([-1, 1, 1], np.int64),
        "shape2": np.array([-1, 1], np.int64),
        "fixed_boxes": boxes,
        "fixed_scores": scores,
    }
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "tiny",
        [value("image", TensorProto.UINT8, ["N", 300, 300, 3])],
        [
            value("boxes", TensorProto.FLOAT, ["N", 3, 4]),
            value("scores", TensorProto.FLOAT, ["N", 3]),
        ],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17)]
    path = tmp_path / "tiny.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))
    return path
