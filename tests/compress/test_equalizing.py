"""Channels of like ranges: the float model is the same to the bit, INT8 is near it again."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from edgefactory.compress.equalizing import equalized
from edgefactory.compress.portable import quantize_portable
from edgefactory.datasets.errors import InputError

UInt8 = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

CHANNELS = 16


def model(factors: Floats, *, depthwise: bool = False, relu: bool = True) -> bytes:
    """Three convolutions; channels of the first one's result are `factors` times as large, and the
    second one's weights as much smaller."""
    rng = np.random.default_rng(3)
    group = CHANNELS if depthwise else 1
    first = rng.normal(0, 0.1, (CHANNELS, 3, 3, 3)) * factors[:, None, None, None]
    shape = (CHANNELS, CHANNELS // group, 3, 3)
    second = rng.normal(0, 0.1, shape)
    second = second / (factors[:, None, None, None] if depthwise else factors[None, :, None, None])
    third = rng.normal(0, 0.1, (4, CHANNELS, 1, 1))
    constants = {
        "w1": first, "b1": rng.normal(0, 0.1, CHANNELS) * factors, "w2": second, "w3": third
    }  # fmt: skip
    middle = "r" if relu else "c1"
    nodes: list[NodeProto] = [
        helper.make_node("Transpose", ["image"], ["turned"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["turned"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["pixels", "w1", "b1"], ["c1"], name="first", pads=[1] * 4),
        *([helper.make_node("Relu", ["c1"], ["r"])] if relu else []),
        helper.make_node("Conv", [middle, "w2"], ["c2"], name="second", group=group, pads=[1] * 4),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("Conv", ["r2", "w3"], ["out"], name="third"),
    ]
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 12, 16, 3])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 4, 12, 16])],
        [numpy_helper.from_array(np.asarray(v, np.float32), n) for n, v in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(made.SerializeToString())


def run(content: bytes, picture: UInt8) -> Floats:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    found: Floats = session.run(None, {"image": picture[None]})[0]
    return found


@pytest.fixture
def seen() -> list[UInt8]:
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, (12, 16, 3), dtype=np.uint8) for _ in range(6)]


BAD = np.where(np.arange(CHANNELS) % 4, 1.0, 64.0).astype(np.float32)
EVEN = np.ones(CHANNELS, np.float32)


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize("relu", [False, True])
def test_the_float_model_is_the_same_to_the_bit_and_int8_is_near_it(
    seen: list[UInt8], depthwise: bool, relu: bool
) -> None:
    spoilt = model(BAD, depthwise=depthwise, relu=relu)
    mended = equalized(spoilt, seen)
    assert mended != spoilt
    wanted = run(spoilt, seen[0])
    assert np.array_equal(run(mended, seen[0]), wanted)

    def error(content: bytes) -> float:
        return float(np.abs(run(quantize_portable(content, seen), seen[0]) - wanted).mean())

    assert error(mended) < error(spoilt) / 3


def test_a_model_of_like_ranges_is_left_as_it_is(seen: list[UInt8]) -> None:
    even = model(EVEN)
    assert equalized(even, seen) == even


def test_a_result_that_is_read_twice_is_left_alone(seen: list[UInt8]) -> None:
    twice = onnx.load_from_string(model(BAD))
    twice.graph.output.append(
        helper.make_tensor_value_info("r", TensorProto.FLOAT, [1, CHANNELS, 12, 16])
    )
    content = bytes(twice.SerializeToString())
    assert equalized(content, seen) == content


def test_without_a_picture_it_is_refused() -> None:
    with pytest.raises(InputError, match="no picture to calibrate on"):
        equalized(model(BAD), [])
