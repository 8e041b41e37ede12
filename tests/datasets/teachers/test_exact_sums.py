"""Quantized graphs as teachers: their sums are those of whole numbers on every processor."""

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgefactory.datasets.teachers.engines import load
from edgefactory.datasets.teachers.spec import EngineSettings

CHANNELS = 64


def two_layers(zeros: tuple[str, str]) -> bytes:
    """Two 1x1 convolutions of UINT8 by INT8 in a row; `zeros` names their weights' zero points."""
    weights = np.full((CHANNELS, CHANNELS, 1, 1), 127, np.int8)
    weights[:, CHANNELS // 2 :] = -120
    identity = np.zeros_like(weights)
    identity[range(CHANNELS), range(CHANNELS)] = 1
    constants: dict[str, NDArray[np.generic]] = {
        "one": np.array(1, np.float32),
        "coarse": np.array(1024, np.float32),
        "middle": np.array(0, np.uint8),
        "w": weights,
        "v": identity,
        **{name: np.array(0, np.int8) for name in set(zeros)},
    }
    first = ["image", "one", "middle", "w", "one", zeros[0], "coarse", "middle"]
    second = ["sums", "coarse", "middle", "v", "one", zeros[1], "coarse", "middle"]
    value = helper.make_tensor_value_info
    shape = [1, CHANNELS, 4, 4]
    graph = helper.make_graph(
        [
            helper.make_node("QLinearConv", first, ["sums"], name="first"),
            helper.make_node("QLinearConv", second, ["found"], name="second"),
        ],
        "quantized",
        [value("image", TensorProto.UINT8, shape)],
        [value("found", TensorProto.UINT8, shape)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17)]
    content: bytes = helper.make_model(
        graph, opset_imports=opsets, ir_version=8
    ).SerializeToString()
    onnx.checker.check_model(content)
    return content


def found(content: bytes, picture: NDArray[np.uint8]) -> NDArray[np.generic]:
    session = load({"m.onnx": content}, "m.onnx", EngineSettings("onnxruntime", "f32", 1))
    return session.run(picture)["found"]


def test_large_products_do_not_overflow() -> None:
    picture = np.full((1, CHANNELS, 4, 4), 255, np.uint8)
    half = CHANNELS // 2
    expected = round(255 * half * (127 - 120) / 1024)
    assert (found(two_layers(("a", "b")), picture) == expected).all()


@pytest.mark.parametrize("zeros", [("a", "b"), ("shared", "shared")])
def test_layers_may_share_a_zero_point(zeros: tuple[str, str]) -> None:
    picture = np.zeros((1, CHANNELS, 4, 4), np.uint8)
    picture[0, 0] = 100
    assert (found(two_layers(zeros), picture) == round(100 * 127 / 1024)).all()
