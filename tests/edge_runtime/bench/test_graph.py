"""A model's file is looked at before an engine sees it: other files, and what is quantized."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.bench.graph import is_quantized, precision_of
from edge_runtime.contract import Engine, Precision
from edge_runtime.errors import InputError, RefusedError

from ..models import brightness_onnx, squares_onnx
from .graphs import endless_onnx, external_onnx, quantized_onnx


def test_a_graph_with_eight_bit_activations_is_quantized() -> None:
    assert is_quantized("m.onnx", quantized_onnx())
    for plain in (squares_onnx(), brightness_onnx(), endless_onnx()):
        assert not is_quantized("m.onnx", plain)


def test_an_ir_is_quantized_when_it_has_fake_quantize_layers() -> None:
    assert is_quantized("m.xml", b'<layer id="3" type="FakeQuantize" version="opset1">')
    assert not is_quantized("m.xml", b'<layer id="3" type="Convolution" version="opset1">')


@pytest.mark.parametrize("nested", [False, True])
def test_weights_in_other_files_are_refused(nested: bool) -> None:
    with pytest.raises(RefusedError, match="keeps weights in other files"):
        is_quantized("m.onnx", external_onnx(nested=nested))


@pytest.mark.parametrize(
    "content", [b"", b"\x00", b"not a model", b"\x3a\xff\xff\x01", b"\x08" * 9]
)
def test_what_is_no_model_is_refused(content: bytes) -> None:
    with pytest.raises(RefusedError, match=r"m\.onnx is not an ONNX model"):
        is_quantized("m.onnx", content)


@given(st.binary(max_size=300))
def test_no_bytes_do_anything_but_be_refused_or_read(content: bytes) -> None:
    with contextlib.suppress(RefusedError):
        is_quantized("m.onnx", content)


@given(st.integers(0, 400), st.integers(0, 255))
def test_no_damage_does_anything_but_be_refused_or_read(place: int, byte: int) -> None:
    content = bytearray(external_onnx())
    content[place % len(content)] = byte
    with contextlib.suppress(RefusedError):
        is_quantized("m.onnx", bytes(content))


@pytest.mark.parametrize(
    ("asked", "quantized", "found"),
    [(None, False, "f32"), (None, True, "int8"), ("bf16", False, "bf16"), ("int8", True, "int8")],
)
def test_the_precision_is_that_of_the_graph_where_none_is_asked(
    asked: Precision | None, quantized: bool, found: Precision
) -> None:
    assert precision_of(asked, "openvino", "m.onnx", quantized=quantized) == found


@pytest.mark.parametrize(
    ("asked", "engine", "quantized", "says"),
    [
        ("int8", "openvino", False, "is not quantized"),
        ("f32", "onnxruntime", True, "its precision is int8"),
        ("bf16", "onnxruntime", False, "as it is written"),
        (None, "tensorrt-rtx", False, "bench measures onnxruntime and openvino"),
    ],
)
def test_a_precision_that_would_be_a_lie_is_refused(
    asked: Precision | None, engine: Engine, quantized: bool, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        precision_of(asked, engine, "m.onnx", quantized=quantized)
