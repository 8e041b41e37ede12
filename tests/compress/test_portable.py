"""The portable form: symmetric S8 QDQ, exact where it says so, the same bytes every time."""

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper

from edgefactory.compress import engines
from edgefactory.compress.graph import Graph, parse
from edgefactory.compress.portable import CENTRED, check_portable, quantize_portable, scale_of
from edgefactory.datasets.errors import InputError

UInt8 = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def portable(detector: bytes, pictures: list[UInt8]) -> bytes:
    return quantize_portable(detector, pictures)


def _kinds(graph: Graph, kind: str) -> list[onnx.NodeProto]:
    return [node for node in graph.nodes if node.op_type == kind]


def test_every_zero_point_is_int8_zero(portable: bytes) -> None:
    graph = parse(portable, "it")
    pairs = [*_kinds(graph, "QuantizeLinear"), *_kinds(graph, "DequantizeLinear")]
    assert len(pairs) > 12
    for node in pairs:
        zero = graph.constants[node.input[2]]
        assert zero.dtype == np.int8
        assert not zero.any()


def test_each_convolution_reads_int8_and_no_result_is_quantized(portable: bytes) -> None:
    graph = parse(portable, "it")
    convolutions = _kinds(graph, "Conv")
    assert {node.name for node in convolutions} == {
        "stem", "near", "far", "back", "heat", "reach"
    }  # fmt: skip
    for node in convolutions:
        for tensor in node.input[:2]:
            maker = graph.producer(tensor)
            assert maker is not None
            assert maker.op_type == "DequantizeLinear"
        readers = {reader.op_type for reader in graph.consumers(node.output[0])}
        assert "QuantizeLinear" not in readers


def test_the_input_is_held_without_loss(portable: bytes) -> None:
    graph = parse(portable, "it")
    quantize = graph.only_consumer(CENTRED)
    assert quantize is not None
    assert graph.scalar(quantize.input[1]) == 1.0


def test_the_input_is_cast_before_it_is_moved(portable: bytes) -> None:
    graph = parse(portable, "it")
    assert [node.op_type for node in graph.consumers("image")] == ["Cast"]


@pytest.mark.parametrize(
    ("options", "exact"),
    [
        ({}, True),
        ({"spell": "mul"}, True),
        ({"mean": [[[[110.0]], [[115.0]], [[120.0]]]], "spell": "mul"}, True),
        ({"gain": np.full((1, 3, 1, 1), [[[[0.01]], [[0.02]], [[0.03]]]]), "spell": "mul"}, True),
        ({"padded": True}, False),
        ({"padded": True, "mean": 128.0}, True),
    ],
)
def test_normalisation_moves_into_the_first_layer_where_that_is_exact(
    make_detector: object, pictures: list[UInt8], options: dict[str, object], exact: bool
) -> None:
    assert callable(make_detector)
    fp32 = make_detector(**options)
    portable = quantize_portable(fp32, pictures)
    assert (parse(portable, "it").producer(CENTRED) is not None) == exact
    batch = np.stack(pictures)
    reference = _run(fp32, batch)["scores"]
    assert np.median(np.abs(_run(portable, batch)["scores"] - reference)) < 0.005


def test_named_layers_stay_in_float(detector: bytes, pictures: list[UInt8]) -> None:
    graph = parse(quantize_portable(detector, pictures, ["heat"]), "it")
    heat = next(node for node in graph.nodes if node.name == "heat")
    assert heat.input[1] in graph.constants


def test_the_same_pictures_give_the_same_bytes(
    detector: bytes, pictures: list[UInt8], portable: bytes
) -> None:
    assert quantize_portable(detector, pictures) == portable


def test_an_unknown_layer_is_named(detector: bytes, pictures: list[UInt8]) -> None:
    with pytest.raises(InputError, match="no layer is called 'hat'; quantizable are stem"):
        quantize_portable(detector, pictures, ["hat"])


def test_nothing_to_quantize_is_refused(detector: bytes, pictures: list[UInt8]) -> None:
    layers = ["stem", "near", "far", "back", "heat", "reach"]
    with pytest.raises(InputError, match="nothing is left to quantize"):
        quantize_portable(detector, pictures, layers)


def test_an_operation_that_the_engine_lacks_is_named_with_its_layer(
    detector: bytes, pictures: list[UInt8]
) -> None:
    model = onnx.load_from_string(detector)
    scores = next(node for node in model.graph.node if "scores" in node.output)
    scores.output[0] = "before"
    double, single = TensorProto.DOUBLE, TensorProto.FLOAT
    model.graph.node.extend(
        [
            helper.make_node("Cast", ["before"], ["double"], to=double),
            helper.make_node("Acosh", ["double"], ["odd"], name="odd.one"),
            helper.make_node("Cast", ["odd"], ["scores"], to=single),
        ]
    )
    with pytest.raises(InputError, match=r"Acosh.*odd\.one.*replace that operation") as caught:
        quantize_portable(model.SerializeToString(), pictures)
    assert "\n" not in str(caught.value)


def test_a_uint8_zero_point_is_refused(portable: bytes) -> None:
    graph = parse(portable, "it")
    quantize = _kinds(graph, "QuantizeLinear")[0]
    quantize.input[2] = graph.constant("wrong", np.asarray(0, np.uint8))
    with pytest.raises(InputError, match=r"zero point uint8 \[0\]; the portable form needs int8"):
        check_portable(graph)


def _run(model: bytes, batch: UInt8) -> dict[str, npt.NDArray[np.float32]]:
    session = engines.load("onnxruntime", {"m": model}, "m", "int8", 1)
    return {name: np.asarray(value, np.float32) for name, value in session.run(batch).items()}


def test_ranges_that_were_trained_for_are_kept(detector: bytes, pictures: list[UInt8]) -> None:
    graph = parse(quantize_portable(detector, pictures, ranges={"near": 3.0, "heat": 5.0}), "it")
    nodes = {node.name: node for node in _kinds(graph, "Conv")}
    for name, top in (("near", 3.0), ("heat", 5.0), ("reach", 5.0)):  # reach reads what heat reads
        assert scale_of(graph, nodes[name].input[0]) == pytest.approx(top / 127)
    check_portable(graph)


def test_ranges_of_another_model_are_refused(detector: bytes, pictures: list[UInt8]) -> None:
    with pytest.raises(InputError, match=r"'stem\.0', which is no layer of the model"):
        quantize_portable(detector, pictures, ranges={"stem.0": 1.0})
