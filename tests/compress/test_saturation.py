"""Sums of pairs: exactly which can overflow, and the mend that every processor agrees with."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from onnx import TensorProto, helper, numpy_helper

from edgefactory.compress.graph import parse
from edgefactory.compress.openvino_ir import pair_sums, to_int8_ir
from edgefactory.compress.portable import quantize_portable
from edgefactory.compress.saturation import (
    LARGEST_SUM,
    Layer,
    largest_pair_sums,
    layers_in_graph,
    mend,
    survey,
)

Int8 = npt.NDArray[np.int8]
UInt8 = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

WEIGHTS = hnp.arrays(
    np.int8,
    st.tuples(st.integers(1, 3), st.integers(1, 6), st.just(2), st.just(3)),
    elements=st.integers(-127, 127),
)


@given(WEIGHTS)
def test_no_picture_reaches_more_than_the_largest_sum_and_one_reaches_it(weights: Int8) -> None:
    """Against all corners of the bytes' range, pair by pair as the kernels take them."""
    found = largest_pair_sums(weights)
    for channel, row in enumerate(weights.astype(int)):
        reached = [
            abs(a * u + b * v)
            for run in _runs(row)
            for u, v in zip(run[::2], run[1::2], strict=True)
            for a, b in itertools.product((0, 255), repeat=2)
        ]
        assert found[channel] == max(reached)


def _runs(row: npt.NDArray[np.int64]) -> list[list[int]]:
    """The weights of one output channel [C,h,w] in the three orders, each of even length."""
    channels, height, width = row.shape
    places = [(y, x) for y in range(height) for x in range(width)]
    turned = [(y, x) for x in range(width) for y in range(height)]
    runs = [[int(row[c, y, x]) for c in range(channels)] for y, x in places]
    runs += [
        [int(row[c, y, x]) for y, x in order for c in range(channels)] for order in (places, turned)
    ]
    return [run + [0] * (len(run) % 2) for run in runs]


@given(WEIGHTS)
def test_after_the_mend_nothing_overflows_and_what_could_not_is_as_it_was(weights: Int8) -> None:
    scale = np.full(len(weights), 0.5, np.float32)
    kept: list[tuple[Int8, Floats]] = [(weights, scale)]
    exact = (weights * 0.5).astype(np.float32)
    mend([Layer("it", weights, scale, exact, lambda w, s: kept.append((w, s)))])
    fresh, steps = kept[-1]
    assert largest_pair_sums(fresh).max() <= LARGEST_SUM
    assert (len(kept) == 1) == (largest_pair_sums(weights).max() <= LARGEST_SUM)
    error = np.abs(fresh * steps[:, None, None, None] - exact)
    assert error.max() <= steps.max() / 2 + 1e-6


def test_weights_of_opposite_signs_do_not_add_up() -> None:
    assert largest_pair_sums(np.array([[[[127]], [[-127]]]], np.int8)).tolist() == [255 * 127]
    assert largest_pair_sums(np.array([[[[127]], [[2]]]], np.int8)).tolist() == [255 * 129]


def test_depthwise_convolutions_pair_nothing(detector: bytes, pictures: list[UInt8]) -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(8, 1, 3, 3)).astype(np.float32)
    model = onnx.load_from_string(detector)
    far = next(node for node in model.graph.node if node.name == "far")
    model.graph.initializer.append(numpy_helper.from_array(weights, "each"))
    wide = helper.make_node("Conv", ["r1", "each"], ["wide"], "wide", group=8, pads=[1] * 4)
    model.graph.node.insert(list(model.graph.node).index(far), wide)
    far.input[0] = "wide"
    graph = parse(quantize_portable(model.SerializeToString(), pictures), "it")
    assert "wide" not in {layer.name for layer in survey(layers_in_graph(graph))}


@pytest.mark.component
def test_every_int8_form_is_mended(detector: bytes, pictures: list[UInt8]) -> None:
    graph = parse(quantize_portable(detector, pictures), "it")
    portable = survey(layers_in_graph(graph))
    native = pair_sums(to_int8_ir(detector, pictures))
    for found in (portable, native):
        assert len(found) == 6
        assert not any(layer.overflows() for layer in found)
        assert max(layer.largest_pair_sum for layer in found) > 0.9 * LARGEST_SUM


@pytest.mark.component
def test_older_processors_decide_otherwise_without_the_mend_and_the_same_with_it(
    tmp_path: Path,
) -> None:
    forms = [(signed, mended) for signed in (True, False) for mended in (False, True)]
    paths = [tmp_path / f"{number}.onnx" for number in range(len(forms))]
    for path, form in zip(paths, forms, strict=True):
        path.write_bytes(_saturating(*form))
    with_vnni = _decided(paths, "AVX512_CORE_VNNI")
    assert with_vnni == [0, 0, 0, 0]
    for isa in ("AVX2", "AVX512_CORE"):
        decided = dict(zip(forms, _decided(paths, isa), strict=True))
        assert decided == {form: 0 if form[1] else 1 for form in forms}


def _saturating(signed: bool, mended: bool) -> bytes:
    """Sixteen classes; on white the first one's sums saturate, the second one's cannot."""
    weights = np.full((16, 16, 1, 1), 0.01, np.float32)
    weights[0], weights[1], weights[1, ::2] = 1.0, 0.0, 1.6
    kind = np.int8 if signed else np.uint8
    scale = weights.max(axis=(1, 2, 3)) / 127
    constants = {
        "step": np.float32(1),
        "zero": kind(0),
        "weight": np.rint(weights / scale[:, None, None, None]).astype(np.int8),
        "each": scale,
        "none": np.zeros(16, np.int8),
        "middle": np.float32(128 if signed else 0),
    }
    nodes = [
        helper.make_node("Sub", ["image", "middle"], ["moved"]),
        helper.make_node("QuantizeLinear", ["moved", "step", "zero"], ["bytes"]),
        helper.make_node("DequantizeLinear", ["bytes", "step", "zero"], ["data"]),
        helper.make_node("DequantizeLinear", ["weight", "each", "none"], ["filter"], axis=0),
        helper.make_node("Conv", ["data", "filter"], ["sums"], name="classes"),
    ]
    graph = helper.make_graph(
        nodes,
        "saturating",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 16, 4, 4])],
        [helper.make_tensor_value_info("sums", TensorProto.FLOAT, [1, 16, 4, 4])],
        [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    found = parse(model.SerializeToString(), "it")
    assert [layer.overflows() for layer in survey(layers_in_graph(found))] == [True]
    if mended:
        mend(layers_in_graph(found, {"classes": weights}))
    return found.to_bytes()


def _decided(paths: list[Path], isa: str) -> list[int]:
    """The class of a white picture by each model, by OpenVINO as a processor with `isa` runs it."""
    code = (
        "import sys, types\n"
        "sys.modules['openvino_telemetry'] = types.ModuleType('openvino_telemetry')\n"
        "import numpy as np, openvino\n"
        "core, white = openvino.Core(), np.full((1, 16, 4, 4), 255, np.float32)\n"
        "hints = {'INFERENCE_PRECISION_HINT': 'f32'}\n"
        "for path in sys.argv[1:]:\n"
        "    model = core.compile_model(core.read_model(path), 'CPU', hints)\n"
        "    print(int(model(white)[0].mean((0, 2, 3)).argmax()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, paths)],
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": isa},
        capture_output=True,
        check=True,
        timeout=120,
    )
    return [int(line) for line in done.stdout.split()]
