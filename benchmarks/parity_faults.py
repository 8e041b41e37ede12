"""Faulty pipelines for `parity-localise`: the mistakes that people make, made on purpose.

Each function takes a network and a generator of chance and gives a pipeline with one fault, the
pipeline that it is to be compared with, and what is right to say: the stage, the layers of which
one must be named (none: the fault is not one layer's), and the kinds that tell what it is. Chance
draws what there is to draw: which variety, which tensor, how strong within what happens. Nothing
here is shared with what looks for them (`edgefactory.compress.parity`): the resizers are SciPy's
or strides, the graphs are edited as protocol buffers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper
from scipy import ndimage

from edge_runtime.contract import Outputs, Placement, placement, preprocess
from edgefactory.compress.answers import Answer
from edgefactory.compress.models import LOWEST
from edgefactory.compress.parity import Pipeline
from edgefactory.training import Detections
from parity_graphs import (
    MIDDLE,
    SPREAD,
    edited,
    floating,
    initializer,
    ir_weights,
    mean_of_corner,
    read_as_signed,
    regrid,
    rename_classes,
    set_attribute,
    set_values,
    spoilt,
    weight_tensors,
    without_peaks,
    wrapped,
)
from parity_networks import Network

UInt8 = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Rng = np.random.Generator

_WAYS: Final = ("portable", "lowered", "nncf")


@dataclass(frozen=True)
class Fault:
    """A faulty pipeline, what it is compared with, and what is right to say of it."""

    reference: Pipeline
    other: Pipeline
    stages: frozenset[str]
    kinds: frozenset[str]
    layers: frozenset[str] = frozenset()


def _fault(
    reference: Pipeline, other: Pipeline, stage: str, kinds: str, layers: Sequence[str] = ()
) -> Fault:
    return Fault(reference, other, frozenset({stage}), frozenset(kinds.split()), frozenset(layers))


def _fed_otherwise(network: Network, make: Callable[[UInt8], UInt8], kinds: str) -> Fault:
    """The right graph, fed what `make` makes of the right input."""
    right = network.pipeline()

    def prepare(picture: UInt8) -> tuple[Any, Placement]:
        fed, place = right.prepare(picture)
        return make(fed), place

    return _fault(right, replace(right, prepare=prepare), "pre-processing", kinds)


def colours(network: Network, _rng: Rng) -> Fault:
    """OpenCV's BGR where RGB is expected."""
    return _fed_otherwise(network, lambda fed: fed[:, :, ::-1], "colours")


def resized(network: Network, rng: Rng) -> Fault:
    """Another algorithm: every n-th pixel, splines without antialiasing, or in two steps."""
    variety = int(rng.integers(4))

    def prepare(picture: UInt8) -> tuple[UInt8, Placement]:
        height, width = picture.shape[:2]
        spec = network.input
        place = placement(width, height, spec)
        size = (spec.width, spec.height)
        if variety == 0:
            rows = np.arange(size[1]) * height // size[1]
            columns = np.arange(size[0]) * width // size[0]
            return picture[rows][:, columns], place
        if variety == 3:
            half = _sampled(picture, (2 * size[0] // 3, 2 * size[1] // 3), 1, 0.0)
            return _sampled(half, size, 1, 0.0), place
        return _sampled(picture, size, (1, 3)[variety - 1], 0.0), place

    right = network.pipeline()
    other = replace(right, prepare=prepare)
    return _fault(right, other, "pre-processing", "resize")


def half_pixel(network: Network, rng: Rng) -> Fault:
    """The grid lies off by half a pixel of the input, in x, y or both."""
    off = [(0.5, 0.5), (-0.5, -0.5), (0.5, 0.0), (0.0, -0.5), (0.5, -0.5)][int(rng.integers(5))]
    spec = network.input

    def prepare(picture: UInt8) -> tuple[UInt8, Placement]:
        height, width = picture.shape[:2]
        steps = (off[1] * height / spec.height, off[0] * width / spec.width, 0)
        moved = ndimage.shift(picture.astype(np.float64), steps, order=1, mode="nearest")
        return preprocess(np.rint(moved).astype(np.uint8), spec)[0], placement(width, height, spec)

    right = network.pipeline()
    return _fault(right, replace(right, prepare=prepare), "pre-processing", "shift")


def _sampled(picture: UInt8, size: tuple[int, int], order: int, off: float) -> UInt8:
    """The picture at points of a grid of half-pixel centres, by splines of that order."""
    height, width = picture.shape[:2]
    rows = (np.arange(size[1]) + 0.5 + off) * height / size[1] - 0.5
    columns = (np.arange(size[0]) + 0.5 + off) * width / size[0] - 0.5
    at = np.meshgrid(rows, columns, indexing="ij")
    made = [
        ndimage.map_coordinates(
            picture[:, :, c].astype(np.float64), at, order=order, mode="nearest"
        )
        for c in range(3)
    ]
    levels = np.clip(np.rint(np.stack(made, axis=2)), 0, 255)
    return np.asarray(levels, np.uint8)


def layout(network: Network, rng: Rng) -> Fault:
    """Planes where pixels are expected, or the rows and columns changed over."""
    variety = int(rng.integers(3))

    def make(fed: UInt8) -> UInt8:
        if variety == 0:
            return np.ascontiguousarray(fed.transpose(2, 0, 1)).reshape(fed.shape)
        if variety == 1:
            return np.ascontiguousarray(fed.transpose(1, 0, 2)).reshape(fed.shape)
        return fed.reshape(3, fed.shape[0], fed.shape[1]).transpose(1, 2, 0)

    return _fed_otherwise(network, make, "layout mirrored")


def unnormalised(network: Network, rng: Rng) -> Fault:
    """Nothing is normalised, or the levels are divided by 255 only: before the graph or in it."""
    if network.task == "classification" and rng.integers(2):
        return _graph_without_normalisation(network)
    gain = [1.0, 1 / 255, 1 / 127.5][int(rng.integers(3))]
    return _fed_floats(network, lambda levels: levels * gain, "normalisation mean")


def wrong_mean(network: Network, rng: Rng) -> Fault:
    """Another mean than that of training: that of ImageNet, or 20 to 60 levels off."""
    image_net = np.asarray([123.675, 116.28, 103.53])
    mean = image_net if rng.integers(2) else MIDDLE + rng.choice([-1, 1]) * rng.uniform(20, 60, 3)
    if network.task == "classification" and rng.integers(2):
        return _graph_with_mean(network, mean)
    return _fed_floats(network, lambda levels: (levels - mean) / SPREAD, "mean")


def _fed_floats(network: Network, make: Callable[[Floats], Floats], kinds: str) -> Fault:
    """A graph that takes normalised floats [N,3,H,W], as most of the world's do."""
    form = floating(network.onnx)

    def prepare(picture: UInt8, how: Callable[[Floats], Floats]) -> tuple[Any, Placement]:
        fed, place = preprocess(picture, network.input)
        made = how(fed.astype(np.float64)).astype(np.float32)
        return np.ascontiguousarray(made.transpose(2, 0, 1)), place

    right = replace(
        network.pipeline(),
        forms=(form,),
        prepare=lambda picture: prepare(picture, lambda levels: (levels - MIDDLE) / SPREAD),
    )
    other = replace(right, prepare=lambda picture: prepare(picture, make))
    return _fault(right, other, "pre-processing", kinds)


def _graph_without_normalisation(network: Network) -> Fault:
    model = onnx.load_from_string(network.onnx.content)
    gone = [node for node in model.graph.node if node.op_type in ("Sub", "Mul")]
    for node in model.graph.node:
        for at, name in enumerate(node.input):
            if name == gone[-1].output[0]:
                node.input[at] = gone[0].input[0]
    for node in gone:
        model.graph.node.remove(node)
    names = [node.name for node in gone]
    return _in_onnx(network, model, "pre-processing", "normalisation", names)


def _graph_with_mean(network: Network, mean: Floats) -> Fault:
    model = onnx.load_from_string(network.onnx.content)
    node = next(node for node in model.graph.node if node.op_type == "Sub")
    set_values(initializer(model, node.input[1]), mean.reshape(1, 3, 1, 1).astype(np.float32))
    return _in_onnx(network, model, "pre-processing", "mean constant", [node.name])


def suppression(network: Network, rng: Rng) -> Fault:
    """Another threshold of non-maximum suppression: outside of the graph, as for TensorRT, or the
    window of the peaks inside of it."""
    if rng.integers(2):
        return _peaks(network, int(rng.choice([1, 5, 7])))
    right = replace(network.pipeline(), forms=(without_peaks(network.onnx),))
    threshold = float(rng.choice([0.1, 0.75, 0.85, 0.95]))
    return _fault(
        replace(right, read=lambda o, p: _suppressed(o, p, right.read, 0.45)),
        replace(right, read=lambda o, p: _suppressed(o, p, right.read, threshold)),
        "post-processing",
        "suppression",
    )


def _suppressed(
    outputs: Outputs, place: Placement, read: Callable[[Outputs, Placement], Answer], most: float
) -> Answer:
    """Greedy non-maximum suppression, class by class."""
    found = read(outputs, place)
    assert isinstance(found, Detections)
    kept: list[int] = []
    for at in np.flatnonzero(found.scores > max(LOWEST, 0.02)):
        rivals = [k for k in kept if found.labels[k] == found.labels[at]]
        if all(_iou(found.boxes[at], found.boxes[k]) <= most for k in rivals):
            kept.append(int(at))
    return Detections(found.boxes[kept], found.scores[kept], found.labels[kept])


def _iou(a: Floats, b: Floats) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    both = float(np.prod(np.clip(high - low, 0, None)))
    return both / (float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - both + 1e-9)


def _peaks(network: Network, side: int) -> Fault:
    model = onnx.load_from_string(network.onnx.content)
    node = next(node for node in model.graph.node if node.op_type == "MaxPool")
    set_attribute(node, "kernel_shape", [side, side])
    set_attribute(node, "pads", [side // 2] * 4)
    return _in_onnx(network, model, "post-processing", "operator suppression", [node.name])


def label_shift(network: Network, rng: Rng) -> Fault:
    """Classes counted from another number, or in another order: outside of the graph or in it."""
    count = len(network.classes)
    by = int(rng.integers(1, count))
    if rng.integers(2):
        right = network.pipeline()

        def read(outputs: Outputs, place: Placement) -> Answer:
            found = right.read(outputs, place)
            if isinstance(found, Detections):
                return Detections(found.boxes, found.scores, (found.labels + by) % count)
            return np.roll(found, by)

        return _fault(right, replace(right, read=read), "post-processing", "labels")
    return _labels_in_graph(network, by, count)


def _labels_in_graph(network: Network, by: int, count: int) -> Fault:
    model = onnx.load_from_string(network.onnx.content)
    detects = network.task == "detection"
    order = np.roll(np.arange(count), -by if detects else by)
    maker = rename_classes(model, "labels" if detects else "probabilities", order, gather=detects)
    return _in_onnx(network, model, "post-processing", "labels", [maker])


def opset(network: Network, rng: Rng) -> Fault:
    """An operator as another opset, or the default that a converter takes for it, has it: the
    pixel shuffle of opset 1 (DCR), or a Resize of opset 10 or 11 on another grid. Detectors only;
    of a classifier, the mean over the map that counts its border's cells out."""
    model = onnx.load_from_string(network.onnx.content)
    if network.task == "classification":
        changed = mean_of_corner(model, network.input.height // 4)
        return _in_onnx(network, model, "onnx", "operator structure", [changed])
    nodes = [n for n in model.graph.node if n.op_type in ("DepthToSpace", "Resize")]
    node = nodes[int(rng.integers(len(nodes)))]
    if node.op_type == "DepthToSpace":
        set_attribute(node, "mode", "DCR")
        tail = True
    else:
        tail = False
        regrid(node, int(rng.integers(3)))
    stage = "post-processing" if tail else "onnx"
    return _in_onnx(network, model, stage, "operator", [node.name])


def corrupted(network: Network, rng: Rng) -> Fault:
    """One weight tensor is spoilt: a run of bytes zeroed, bits flipped, or a block repeated; in
    the ONNX file, the IR or a quantized file."""
    place = ("onnx", "openvino", "portable", "lowered")[int(rng.integers(4))]
    if place == "openvino":
        return _corrupted_ir(network, rng)
    form = network.onnx if place == "onnx" else network.quantized(place, network.calibration)
    model = onnx.load_from_string(form.content)
    weights = weight_tensors(model)
    name = sorted(weights)[int(rng.integers(len(weights)))]
    tensor = initializer(model, weights[name])
    set_values(tensor, spoilt(numpy_helper.to_array(tensor), rng))
    if place == "onnx":
        return _in_onnx(network, model, "onnx", "weights", [name])
    other = network.pipeline(edited(form, model))
    return _fault(network.pipeline(), other, "quantized", "weights", [name])


def _corrupted_ir(network: Network, rng: Rng) -> Fault:
    """Weights of one layer spoilt in `model.bin`, where the XML says that they lie."""
    ir = network.ir
    found = ir_weights(ir.files["model.xml"])
    name = sorted(found)[int(rng.integers(len(found)))]
    start, end = found[name]
    content = bytearray(ir.files["model.bin"])
    values = np.frombuffer(bytes(content[start:end]), np.float32)
    content[start:end] = spoilt(values, rng).tobytes()
    files = {**ir.files, "model.bin": bytes(content)}
    other = network.pipeline(replace(ir, files=files))
    return _fault(network.pipeline(), other, "openvino", "weights", [name])


def integers(network: Network, rng: Rng) -> Fault:
    """Signed and unsigned bytes confused: a zero point of 128 read as 0 at one layer or at all,
    unsigned bytes cast to signed, or read as such by arithmetic that nothing in the file tells."""
    variety = int(rng.integers(4))
    if variety < 2:
        return _zero_points(network, rng, every=variety == 1)
    form = network.quantized("portable", network.calibration)
    model = onnx.load_from_string(form.content)
    pairs = [
        node for node in model.graph.node
        if node.op_type == "QuantizeLinear" and node.input[0] != "image.centred"
    ]  # fmt: skip
    node = pairs[int(rng.integers(len(pairs)))]
    read = read_as_signed if variety == 2 else wrapped
    readers = read(model, node)
    other = network.pipeline(edited(form, model))
    return _fault(network.pipeline(), other, "quantized", "integers", readers)


def _zero_points(network: Network, rng: Rng, *, every: bool) -> Fault:
    form = network.quantized("lowered", network.calibration)
    model = onnx.load_from_string(form.content)
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(0, np.uint8), "none.u8"))
    layers = [node for node in model.graph.node if node.op_type == "QLinearConv"][1:]
    chosen = layers if every else [layers[int(rng.integers(len(layers)))]]
    for node in chosen:
        node.input[2] = "none.u8"
    other = network.pipeline(edited(form, model))
    return _fault(network.pipeline(), other, "quantized", "integers", [chosen[0].name])


def miscalibrated(network: Network, rng: Rng) -> Fault:
    """Calibrated on pictures of something else: too dark, without contrast, noise, or levels of
    0 to 1 where 0 to 255 are fed."""
    variety = int(rng.integers(4))
    way = _WAYS[int(rng.integers(3))]
    strength = rng.uniform(0.05, 0.25)

    def wrong(fed: UInt8) -> UInt8:
        if variety == 0:
            return (fed * strength).astype(np.uint8)
        if variety == 1:
            return (MIDDLE + (fed - MIDDLE) * strength).astype(np.uint8)
        if variety == 2:
            return rng.integers(0, 256, fed.shape, np.uint8)
        return (fed / 255).astype(np.uint8)

    form = network.quantized(way, [wrong(fed) for fed in network.calibration[:16]])
    return _fault(network.pipeline(), network.pipeline(form), "quantized", "calibration")


def control(network: Network, rng: Rng) -> Fault:
    """No fault: another engine, or a quantized form calibrated on other right pictures."""
    chosen = rng.permutation(len(network.calibration))[: len(network.calibration) // 2]
    calibration = [network.calibration[int(at)] for at in chosen]
    variety = int(rng.integers(5))
    forms = [network.ir] if variety % 2 else []
    if variety:
        forms.append(network.quantized(_WAYS[int(rng.integers(3))], calibration))
    return _fault(network.pipeline(), network.pipeline(*forms), "none", "none")


def _in_onnx(
    network: Network, model: onnx.ModelProto, stage: str, kinds: str, layers: Sequence[str]
) -> Fault:
    """The contract's pipeline with another ONNX graph."""
    right = network.pipeline()
    other = replace(right, forms=(edited(network.onnx, model),))
    return _fault(right, other, stage, kinds, layers)


FAULTS: Final[Mapping[str, Callable[[Network, Rng], Fault]]] = {
    "bgr_rgb": colours,
    "wrong_resize": resized,
    "half_pixel": half_pixel,
    "no_normalisation": unnormalised,
    "wrong_mean": wrong_mean,
    "nms_threshold": suppression,
    "label_shift": label_shift,
    "transposed_layout": layout,
    "wrong_opset": opset,
    "corrupted_weights": corrupted,
    "u8_s8": integers,
    "wrong_calibration": miscalibrated,
}
DETECTORS_ONLY: Final = frozenset({"nms_threshold"})
