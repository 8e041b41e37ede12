"""From a TensorFlow graph to ONNX: what is read, what is refused, and the arithmetic."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper

from edgefactory.datasets.conversion import Builder, Tensor, convert_teacher
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.graphdef import fields, read_graph


def varint(number: int) -> bytes:
    out = bytearray()
    number &= 2**64 - 1
    while number >= 128:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def message(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def integer(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def shape(*sizes: int) -> bytes:
    return b"".join(message(2, integer(1, size)) for size in sizes)


def tensor(values: NDArray[np.generic], kind: int) -> bytes:
    return integer(1, kind) + message(2, shape(*values.shape)) + message(4, values.tobytes())


def attribute(key: str, value: bytes) -> bytes:
    return message(5, message(1, key.encode()) + message(2, value))


def node(name: str, operation: str, inputs: tuple[str, ...] = (), *attributes: bytes) -> bytes:
    content = message(1, name.encode()) + message(2, operation.encode())
    content += b"".join(message(3, i.encode()) for i in inputs) + b"".join(attributes)
    return message(1, content)


def constant(name: str, values: NDArray[np.generic]) -> bytes:
    kind = 1 if values.dtype == np.float32 else 3
    return node(name, "Const", (), attribute("value", message(8, tensor(values, kind))))


def test_reads_names_inputs_and_attributes() -> None:
    strides = attribute("strides", message(1, message(3, b"\x01\x02\x02\x01")))
    padding = attribute("padding", message(2, b"SAME"))
    epsilon = attribute("epsilon", varint(4 << 3 | 5) + np.float32(0.5).tobytes())
    graph = read_graph(node("conv", "Conv2D", ("image", "weights"), strides, padding, epsilon))
    conv = graph["conv"]
    assert (conv.operation, conv.inputs) == ("Conv2D", ("image", "weights"))
    assert conv.integers("strides") == (1, 2, 2, 1)
    assert conv.text("padding") == "SAME"
    assert conv.number("epsilon") == 0.5


def test_negative_integers_are_signed() -> None:
    packed = b"".join(varint(n) for n in (-1, 7))
    graph = read_graph(node("n", "X", (), attribute("list", message(1, message(3, packed)))))
    assert graph["n"].integers("list") == (-1, 7)


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_reads_tensors(dtype: type[np.float32] | type[np.int32]) -> None:
    values = np.arange(6, dtype=dtype).reshape(2, 3)
    np.testing.assert_array_equal(read_graph(constant("c", values))["c"].tensor(), values)


def test_a_single_repeated_value_fills_the_shape() -> None:
    content = integer(1, 1) + message(2, shape(2, 2)) + message(5, np.float32(3).tobytes())
    graph = read_graph(node("c", "Const", (), attribute("value", message(8, content))))
    np.testing.assert_array_equal(graph["c"].tensor(), np.full((2, 2), 3, np.float32))


def test_a_shape_that_the_values_do_not_fill_is_refused() -> None:
    content = integer(1, 1) + message(2, shape(3)) + message(4, np.zeros(2, np.float32).tobytes())
    graph = read_graph(node("c", "Const", (), attribute("value", message(8, content))))
    with pytest.raises(InputError, match="holds 2 values"):
        graph["c"].tensor()


def test_a_huge_shape_allocates_nothing() -> None:
    content = integer(1, 1) + message(2, shape(2**40, 2**20)) + message(4, b"\0\0\0\0")
    graph = read_graph(node("c", "Const", (), attribute("value", message(8, content))))
    with pytest.raises(InputError, match="malformed shape"):
        graph["c"].tensor()


@pytest.mark.parametrize("cut", [1, 5, 12])
def test_truncated_bytes_are_refused(cut: int) -> None:
    whole = node("conv", "Conv2D", ("image",))
    with pytest.raises(InputError, match="truncated"):
        read_graph(whole[:-cut])


@pytest.mark.parametrize("content", [b"", b"RIFF....AVI ", b"\xff" * 40, b"\x0b"])
def test_what_is_no_graph_is_refused(content: bytes) -> None:
    with pytest.raises(InputError):
        read_graph(content)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_graph_or_one_kind_of_error(content: bytes) -> None:
    with suppress(InputError):
        assert read_graph(content)


@given(st.integers(0, 2**64 - 1), st.binary(max_size=50))
def test_fields_come_back(number: int, content: bytes) -> None:
    found = list(fields(integer(3, number) + message(4, content)))
    assert found == [(3, number), (4, content)]


def same_convolution(
    data: NDArray[np.float32], weights: NDArray[np.float32], stride: int, depthwise: bool
) -> NDArray[np.float32]:
    """TensorFlow's SAME convolution of [H,W,C] by [k,k,C,M], written as its definition."""
    kernel, side = weights.shape[0], data.shape[0]
    out = -(-side // stride)
    total = max((out - 1) * stride + kernel - side, 0)
    padded = np.pad(data, [(total // 2, total - total // 2)] * 2 + [(0, 0)])
    channels = weights.shape[2] * weights.shape[3] if depthwise else weights.shape[3]
    result = np.zeros((out, out, channels), np.float32)
    for y in range(out):
        for x in range(out):
            window = padded[y * stride : y * stride + kernel, x * stride : x * stride + kernel]
            pattern = "hwc,hwcm->cm" if depthwise else "hwc,hwcm->m"
            result[y, x] = np.einsum(pattern, window, weights).reshape(-1)
    return result


def run(builder: Builder, output: str, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the built graph makes of one [H,W,C] picture."""
    value = helper.make_tensor_value_info
    real = TensorProto.FLOAT
    graph = helper.make_graph(
        builder.nodes,
        "part",
        [value("data", real, [1, image.shape[2], *image.shape[:2]])],
        [value(output, real, None)],
        builder.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"data": image.transpose(2, 0, 1)[None]})
    return np.asarray(found[0].transpose(1, 2, 0), np.float32)


def convolution(operation: str, stride: int, padding: bytes = b"SAME") -> bytes:
    return node(
        "conv",
        operation,
        ("data", "weights"),
        attribute("strides", message(1, message(3, bytes([1, stride, stride, 1])))),
        attribute("dilations", message(1, message(3, b"\x01\x01\x01\x01"))),
        attribute("padding", message(2, padding)),
        attribute("data_format", message(2, b"NHWC")),
    )


def built(graph: bytes, side: int) -> Builder:
    builder = Builder(read_graph(node("data", "Placeholder") + graph))
    builder.done["data"] = Tensor("data", side, 3)
    return builder


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("side", [7, 8])
@pytest.mark.parametrize("operation", ["Conv2D", "DepthwiseConv2dNative"])
def test_a_convolution_with_batch_norm_and_residual(operation: str, side: int, stride: int) -> None:
    random = np.random.default_rng(0)
    depthwise = operation != "Conv2D"
    weights = random.normal(size=(3, 3, 3, 1 if depthwise else 3)).astype(np.float32)
    image = random.normal(size=(side, side, 3)).astype(np.float32)
    gamma, beta, mean = random.normal(size=(3, 3)).astype(np.float32)
    variance = random.uniform(0.5, 2, 3).astype(np.float32)
    names = ("gamma", "beta", "mean", "variance")
    graph = constant("weights", weights) + convolution(operation, stride)
    for name, values in zip(names, (gamma, beta, mean, variance), strict=True):
        graph += constant(name, values)
    epsilon = attribute("epsilon", varint(4 << 3 | 5) + np.float32(1e-3).tobytes())
    graph += node("norm", "FusedBatchNorm", ("conv", *names), epsilon)
    graph += node("alias", "Identity", ("norm",)) + node("relu", "Relu6", ("alias",))
    graph += node("sum", "Add", ("norm", "relu"))
    builder = built(graph, side)
    found = run(builder, builder.build("sum").name, image)

    plain = same_convolution(image, weights, stride, depthwise)
    normal = (plain - mean) / np.sqrt(variance + 1e-3) * gamma + beta
    np.testing.assert_allclose(found, normal + np.clip(normal, 0, 6), rtol=1e-4, atol=1e-4)


def test_another_padding_is_refused() -> None:
    graph = constant("weights", np.zeros((3, 3, 3, 1), np.float32))
    builder = built(graph + convolution("Conv2D", 1, b"VALID"), 8)
    with pytest.raises(InputError, match="SAME"):
        builder.build("conv")


def test_an_unknown_operation_is_named() -> None:
    with pytest.raises(InputError, match="Softmax"):
        built(node("soft", "Softmax", ("data",)), 8).build("soft")


def test_a_graph_that_depends_on_itself_is_refused() -> None:
    graph = node("a", "Relu6", ("b",)) + node("b", "Relu6", ("a",))
    with pytest.raises(InputError, match="depends on itself"):
        built(graph, 8).build("a")


def test_another_graph_is_not_the_teacher() -> None:
    with pytest.raises(InputError, match="expected the SSDLite person detector"):
        convert_teacher(node("x", "Relu6", ("y",)))
