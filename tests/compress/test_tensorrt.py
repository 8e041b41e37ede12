"""TensorRT-RTX engines, built without a GPU, with proof that they compute in INT8."""

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import helper

from edge_runtime.contract import Flavour, Shapes, digest
from edgefactory.compress.graph import parse
from edgefactory.compress.lowering import lower
from edgefactory.compress.portable import quantize_portable
from edgefactory.compress.tensorrt import build_engine, int8_share, recipe, unavailable
from edgefactory.datasets.errors import InputError

UInt8 = npt.NDArray[np.uint8]

FLAVOURS: tuple[Flavour, ...] = ("tensorrt", "tensorrt-rtx")

here = pytest.mark.skipif(unavailable() is not None, reason="tensorrt-rtx is not installed")


@pytest.fixture(scope="module")
def portable(detector: bytes, pictures: list[UInt8]) -> bytes:
    return quantize_portable(detector, pictures)


def test_the_share_of_int8_convolutions() -> None:
    assert int8_share({"a": "Int8", "b": "Float", "c": "Int8", "d": "Int8"}) == 0.75
    assert int8_share({}) == 0.0


@here
def test_uint8_zero_points_never_reach_tensorrt(portable: bytes) -> None:
    with pytest.raises(InputError, match="zero point uint8"):
        build_engine(lower(portable), ("sm86",))


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize(
    ("zero", "message"), [(np.uint8(0), r"zero point uint8 \[0\]"), (None, "zero point none")]
)
def test_a_foreign_model_with_uint8_data_gets_no_recipe(
    portable: bytes, flavour: Flavour, zero: np.uint8 | None, message: str
) -> None:
    """NNCF's ONNX has the first; without a zero point, ONNX means UINT8."""
    graph = parse(portable, "it")
    for node in graph.nodes:
        quantized = node.op_type in ("QuantizeLinear", "DequantizeLinear")
        if quantized and node.input[0] not in graph.constants:
            del node.input[2]
            if zero is not None:
                node.input.append(graph.constant("theirs", np.asarray(zero)))
    foreign = graph.to_bytes()
    with pytest.raises(InputError, match=message):
        recipe(foreign, flavour)


def test_a_recipe_is_for_its_model_alone_and_its_batch_is_free(portable: bytes) -> None:
    found = recipe(portable, "tensorrt")
    assert found.source_sha256 == digest(portable)
    assert found.convolutions == 6
    assert found.shapes == Shapes((1, 32, 48, 3), (1, 32, 48, 3), (8, 32, 48, 3))
    assert found.timing_cache
    assert not recipe(portable, "tensorrt-rtx").timing_cache


@here
@pytest.mark.component
def test_all_convolutions_are_proven_int8(portable: bytes) -> None:
    built = build_engine(portable, ("sm75", "sm86", "sm89", "sm00"))
    assert built.hardware == ("sm86", "sm89")
    assert int8_share(built.convolutions) == 1.0
    assert len(built.convolutions) == 6
    assert "INT8" in built.left_out["sm75"]
    assert "does not build for it" in built.left_out["sm00"]
    assert len(built.engine) > 10_000


@here
@pytest.mark.component
def test_no_capability_left_is_refused_with_the_reasons(portable: bytes) -> None:
    with pytest.raises(InputError, match=r"no compute capability is left .*sm00: tensorrt-rtx"):
        build_engine(portable, ("sm00",))


@here
@pytest.mark.component
def test_an_operation_that_tensorrt_lacks_is_named_with_its_layer(portable: bytes) -> None:
    model = onnx.load_from_string(portable)
    scores = next(node for node in model.graph.node if "scores" in node.output)
    scores.output[0] = "before"
    model.graph.node.append(helper.make_node("Det", ["before"], ["scores"], name="odd.one"))
    parse(model.SerializeToString(), "it")
    with pytest.raises(InputError, match=r"TensorRT cannot take Det 'odd\.one'"):
        build_engine(model.SerializeToString(), ("sm86",))
