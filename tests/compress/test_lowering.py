"""Lowering: other operators, the same decisions."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import helper

from edge_runtime.contract import Tolerance, decide, disagreement
from edgefactory.compress import engines
from edgefactory.compress.graph import parse
from edgefactory.compress.lowering import lower
from edgefactory.compress.portable import quantize_portable
from edgefactory.datasets.errors import InputError

UInt8 = npt.NDArray[np.uint8]
MakeDetector = Callable[..., bytes]


@pytest.fixture(scope="module")
def portable(detector: bytes, pictures: list[UInt8]) -> bytes:
    return quantize_portable(detector, pictures)


def test_the_lowered_model_decides_as_the_portable_one(portable: bytes) -> None:
    _decide_alike(portable)


def _decide_alike(portable: bytes) -> None:
    rng = np.random.default_rng(11)
    batch = rng.integers(0, 256, (40, 32, 48, 3), np.uint8)
    expected, found = (_session(model).run(batch) for model in (portable, lower(portable)))
    close = Tolerance(score=0.01, iou=0.97)
    for index in range(len(batch)):
        a, b = (decide("detection", outputs, index, 0.05) for outputs in (expected, found))
        assert disagreement(a, b, 0.06, close) is None
    a_scores, b_scores = (np.asarray(o["scores"], np.float32) for o in (expected, found))
    same = np.isclose(a_scores, b_scores, atol=1e-6)
    assert same.mean() > 0.97  # the rest are ties, rounded to either side


def test_a_layer_that_is_quantized_again_becomes_one_integer_operator(portable: bytes) -> None:
    graph = parse(lower(portable), "it")
    kinds = {node.name: node.op_type for node in graph.nodes}
    assert {kinds[name] for name in ("stem", "near", "far")} == {"QLinearConv"}
    assert {kinds[name] for name in ("back", "heat", "reach")} == {"Conv"}
    lowered = [node for node in graph.nodes if node.op_type == "QLinearConv"]
    assert {graph.constants[node.input[8]].dtype for node in lowered} == {np.dtype(np.int32)}


def test_the_input_bytes_are_read_as_they_are(portable: bytes) -> None:
    graph = parse(lower(portable), "it")
    assert [node.op_type for node in graph.consumers("image")] == ["Transpose"]
    assert not any(node.op_type == "Sub" and node.name == "image.centred" for node in graph.nodes)


def test_a_maximum_is_taken_of_bytes(detector: bytes, pictures: list[UInt8]) -> None:
    model = onnx.load_from_string(detector)
    near = next(node for node in model.graph.node if node.name == "near")
    near.input[0] = "most"
    pool = helper.make_node("MaxPool", ["r0"], ["most"], kernel_shape=[3, 3], pads=[1] * 4)
    model.graph.node.insert(list(model.graph.node).index(near), pool)
    portable = quantize_portable(model.SerializeToString(), pictures)
    graph = parse(lower(portable), "it")
    kinds = {node.name: node.op_type for node in graph.nodes}
    assert {kinds[name] for name in ("stem", "near", "far")} == {"QLinearConv"}
    _decide_alike(portable)


def test_a_model_that_is_not_portable_is_refused(detector: bytes, portable: bytes) -> None:
    with pytest.raises(InputError, match="needs int8 0"):
        lower(lower(portable))
    assert parse(lower(detector), "it").outputs == ["boxes", "scores", "labels"]


def test_the_same_model_gives_the_same_bytes(portable: bytes) -> None:
    assert lower(portable) == lower(portable)


def _session(model: bytes) -> engines.Session:
    return engines.load("onnxruntime", {"m": model}, "m", "int8", 1)
