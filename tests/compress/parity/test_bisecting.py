"""The faults of the benchmark `parity-localise`, in networks with random weights: the stage and the
layer are named. What must not be named where there is no fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from edgefactory.compress.parity import Bisection, Form, Looking, Pipeline, bisect
from edgefactory.training import Detections

if TYPE_CHECKING:
    from parity_networks import Network

pytestmark = pytest.mark.component

POINT = 0.3
BOTH = ["bgr_rgb", "wrong_resize", "half_pixel", "transposed_layout", "corrupted_weights"]
BOXES = [*BOTH, "nms_threshold", "wrong_opset", "u8_s8", "wrong_calibration"]
COLOURS = [*BOTH, "no_normalisation", "wrong_mean", "label_shift"]


def looked(network: Network, name: str, seed: int) -> None:
    from parity_faults import FAULTS

    fault = FAULTS[name](network, np.random.default_rng(seed))
    how = Looking(POINT, network.normals)
    found = bisect(fault.reference, fault.other, network.pictures[:8], how).found
    assert found is not None
    assert found.fault
    assert found.stage in fault.stages, found.says
    assert not fault.layers or found.layer in fault.layers, found.says


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", BOXES)
def test_a_fault_of_a_detector_is_localised(boxes: Network, name: str, seed: int) -> None:
    looked(boxes, name, seed)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", COLOURS)
def test_a_fault_of_a_classifier_is_localised(colours: Network, name: str, seed: int) -> None:
    looked(colours, name, seed)


@pytest.mark.parametrize("way", ["portable", "lowered"])
def test_what_quantization_costs_is_no_fault(colours: Network, way: str) -> None:
    form = colours.quantized(way, colours.calibration[:6])
    found = bisected(colours, colours.pipeline(colours.ir, form))
    assert [step.stage for step in found.steps] == [
        "pre-processing",
        "onnx",
        "openvino",
        "quantized",
        "post-processing",
    ]
    assert found.found is None or not found.found.fault
    quantized = found.steps[3]
    assert all(layer.normal is not None for layer in quantized.layers if layer.op == "Softmax")


def test_bf16_is_no_fault(colours: Network) -> None:
    ir = colours.ir
    half = Form("openvino", "bf16", ir.files, ir.main, "openvino", "bf16")
    found = bisected(colours, colours.pipeline(ir, half)).found
    assert found is None or not found.fault


def test_names_that_say_nothing_are_no_obstacle(colours: Network) -> None:
    import onnx
    from onnx import numpy_helper

    model = onnx.load_from_string(colours.onnx.content)
    tensor = next(t for t in model.graph.initializer if t.name == "second.weight")
    values = numpy_helper.to_array(tensor).copy()
    values[3] = 0
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    _rename(model)
    other = colours.pipeline()
    form = Form("onnx", "renamed", {"m.onnx": model.SerializeToString()}, "m.onnx", "onnxruntime")
    found = bisected(colours, Pipeline(other.task, other.prepare, (form,), other.read)).found
    assert found is not None
    assert found.layer == "second"


def _rename(model: object) -> None:
    """Numbers instead of names for all that is not input, output or constant."""
    import onnx

    assert isinstance(model, onnx.ModelProto)
    names = {out: f"t{n}" for n, node in enumerate(model.graph.node) for out in node.output}
    names.pop("probabilities")
    for n, node in enumerate(model.graph.node):
        node.name = f"node_{n}"
        for side in (node.input, node.output):
            for at, name in enumerate(side):
                side[at] = names.get(name, name)


def test_another_threshold_is_named(boxes: Network) -> None:
    right = boxes.pipeline()

    def read(outputs: object, place: object) -> Detections:
        found = right.read(outputs, place)  # type: ignore[arg-type]  # handed on as it came
        assert isinstance(found, Detections)
        good = found.scores > 0.8
        return Detections(found.boxes[good], found.scores[good], found.labels[good])

    other = Pipeline(right.task, right.prepare, right.forms, read)
    found = bisected(boxes, other).found
    assert found is not None
    assert (found.stage, found.kind) == ("post-processing", "threshold")


def bisected(network: Network, other: Pipeline) -> Bisection:
    how = Looking(POINT, network.normals)
    return bisect(network.pipeline(), other, network.pictures[:8], how)
