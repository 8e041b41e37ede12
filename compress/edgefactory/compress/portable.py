"""The portable INT8 form: one symmetric S8 QDQ graph that every engine reads.

Every zero point is the INT8 number 0, weights are quantized per channel, activations per tensor,
and a Q/DQ pair stands before each convolution and matrix product, nowhere else: so the heads'
results and the decoding stay in float. The arithmetic is ONNX Runtime's `quantize_static`; ours
are four exactnesses around it:

- the input's bytes p become p - 128 at scale 1, which INT8 holds without loss; the normalisation
  moves into the first convolution's weights and bias (where no padding forbids it);
- biases are rounded to the grid of their accumulators (input scale x weight scale), so an engine
  that wants INT32 biases computes the same (see `lowering`);
- weights whose sums could overflow on older processors have wider steps (see `saturation`);
- the file's bytes depend on the checkpoint and the calibration pictures alone.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, TensorProto

from edgefactory.compress.admission import admit, admit_pictures
from edgefactory.compress.graph import Graph, attributes, parse
from edgefactory.compress.saturation import layers_in_graph, mend
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.onnx_sessions import first_line, ort_refusals

UInt8 = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

QUANTIZED_OPS = ("Conv", "Gemm", "MatMul")
CENTRED = "image.centred"  # the input's bytes minus 128
ROWS = "image.float.rows"  # the input seen with rows of patches as channels
MIDDLE = 128
LARGEST = 127  # INT8 number of the end of a range


def quantize_portable(
    fp32: bytes,
    pictures: Sequence[UInt8],
    float_layers: Sequence[str] = (),
    seen: Callable[[int], None] | None = None,
    ranges: Mapping[str, float] | None = None,
    kept: Path | None = None,
) -> bytes:
    """The portable INT8 form of the FP32 ONNX model `fp32`.

    `pictures`: inputs uint8 [H,W,3] to calibrate on; `float_layers`: names of nodes to be left in
    float; `seen` is told how many pictures have been run; `ranges`: the largest absolute input of
    layers that were trained to be quantized, by name (a checkpoint's `ranges`); other layers'
    follow from the pictures. `kept`: a file that keeps what the pictures said, for the next call
    with the same model and pictures; written when it is not there. Raises InputError for what
    `admission` does not take, when there is no such layer, or nothing to quantize.
    """
    admit_pictures(pictures, admit(fp32, "the FP32 model"))
    graph = prepared(fp32)
    names = [node.name for node in graph.nodes if node.op_type in QUANTIZED_OPS]
    unknown = sorted(set(float_layers) - set(names))
    if unknown:
        raise InputError(f"no layer is called {unknown[0]!r}; quantizable are {', '.join(names)}")
    if not set(names) - set(float_layers):
        raise InputError("nothing is left to quantize: the model has no Conv, Gemm or MatMul")
    steps = _steps(graph, ranges or {})
    if graph.producer(CENTRED) is not None:
        steps[CENTRED] = 1.0
    how = _How(pictures, float_layers, steps, seen or (lambda _: None), kept)
    quantized = parse(_run_quantizer(graph.to_bytes(), how), "")
    mend(layers_in_graph(quantized, _weights(graph)))
    _round_biases(quantized)
    check_portable(quantized)
    return quantized.to_bytes()


def prepared(fp32: bytes) -> Graph:
    """The FP32 graph as it is quantized: its normalisation moved where that is exact."""
    graph = parse(fp32, "the FP32 model")
    _fold_input(graph)
    _cast_first(graph)
    return graph


def check_portable(graph: Graph) -> None:
    """Raise InputError unless every zero point in the graph is INT8 0.

    TensorRT reads UINT8 data as INT8 with no more than a warning, and the accuracy is gone.
    """
    for node in graph.nodes:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            continue
        zero = graph.constants.get(node.input[2]) if len(node.input) > 2 else None
        if zero is None or zero.dtype != np.int8 or np.any(zero):
            found = "none" if zero is None else f"{zero.dtype} {np.unique(zero).tolist()}"
            raise InputError(
                f"{node.op_type} {node.name!r} has the zero point {found}; the portable form "
                "needs int8 0: quantize symmetrically"
            )


class _Pictures:
    """What `quantize_static` calibrates on: one picture a batch."""

    def __init__(self, name: str, pictures: Sequence[UInt8], seen: Callable[[int], None]) -> None:
        self._name, self._seen = name, seen
        self._rest: Iterator[tuple[int, UInt8]] = enumerate(pictures)

    def get_next(self) -> dict[str, UInt8] | None:
        """The next batch, or None after the last."""
        entry = next(self._rest, None)
        if entry is None:
            return None
        self._seen(entry[0] + 1)
        return {self._name: entry[1][None]}


@dataclass(frozen=True)
class _How:
    """What `quantize_portable` was asked for; `steps` are the INT8 steps of tensors, by name."""

    pictures: Sequence[UInt8]
    float_layers: Sequence[str]
    steps: Mapping[str, float]
    seen: Callable[[int], None]
    kept: Path | None


def _run_quantizer(fp32: bytes, how: _How) -> bytes:
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    class Reader(_Pictures, CalibrationDataReader):  # type: ignore[misc]  # untyped base
        """The same, as the base class that the quantizer asks for."""

    model = onnx.load_from_string(fp32)
    reader = Reader(model.graph.input[0].name, how.pictures, how.seen)
    with tempfile.TemporaryDirectory() as folder, _without_advice():
        path = Path(folder) / "quantized.onnx"
        try:
            quantize_static(
                model,
                path,
                reader,
                op_types_to_quantize=list(QUANTIZED_OPS),
                nodes_to_exclude=list(how.float_layers),
                per_channel=True,
                activation_type=QuantType.QInt8,
                weight_type=QuantType.QInt8,
                extra_options=_options(how.steps),
                calibration_cache_path=how.kept,
            )
        except ort_refusals() as error:
            raise InputError(
                f"ONNX Runtime cannot run the FP32 model: {first_line(error)}; "
                "replace that operation in the network, or export with another opset"
            ) from error
        return path.read_bytes()


def _steps(graph: Graph, ranges: Mapping[str, float]) -> dict[str, float]:
    """The INT8 step of each tensor that a layer of `ranges` reads.

    A layer that runs several times, on several maps, is followed by @2, @3 in its nodes' names.
    """
    layers = {node.name: node for node in graph.nodes if node.op_type in QUANTIZED_OPS}
    unknown = sorted(set(ranges) - set(layers))
    if unknown:
        raise InputError(
            f"a range is given for {unknown[0]!r}, which is no layer of the model; these ranges "
            "are another checkpoint's"
        )
    steps: dict[str, float] = {}
    for name, node in layers.items():
        top = ranges.get(name.partition("@")[0])
        if top is not None:
            steps[node.input[0]] = max(steps.get(node.input[0], 0.0), top / LARGEST)
    return steps


def _options(steps: Mapping[str, float]) -> dict[str, Any]:
    from onnxruntime.quantization import QuantType

    def fixed(step: float) -> dict[str, Any]:
        return {
            "quant_type": QuantType.QInt8,
            "scale": np.array(step, np.float32),
            "zero_point": np.array(0, np.int8),
        }

    return {
        "ActivationSymmetric": True,
        "WeightSymmetric": True,
        "QuantizeBias": False,
        "OpTypesToExcludeOutputQuantization": list(QUANTIZED_OPS),
        "TensorQuantOverrides": {tensor: [fixed(step)] for tensor, step in steps.items()},
    }


def _weights(graph: Graph) -> dict[str, npt.NDArray[np.float32]]:
    """The constant weights of the layers to be quantized, by layer."""
    return {
        node.name: np.asarray(graph.constants[node.input[1]], np.float32)
        for node in graph.nodes
        if node.op_type in QUANTIZED_OPS and node.input[1] in graph.constants
    }


@contextlib.contextmanager
def _without_advice() -> Iterator[None]:
    """The quantizer advises on standard error to simplify the graph first; ours is simple."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(level)


def _round_biases(graph: Graph) -> None:
    """Round the biases of quantized layers to multiples of input scale x weight scale."""
    for node in graph.nodes:
        steps = bias_steps(graph, node)
        if steps is None:
            continue
        bias = np.asarray(graph.constants[node.input[2]], np.float64)
        rounded = (np.rint(bias / steps) * steps).astype(np.float32)
        node.input[2] = graph.constant(f"{node.name}.bias.rounded", rounded)


def bias_steps(graph: Graph, node: NodeProto) -> Floats | None:
    """The accumulator's unit of each output channel [C] of a quantized Conv with a bias."""
    if node.op_type != "Conv" or len(node.input) < 3 or node.input[2] not in graph.constants:
        return None
    scales = [scale_of(graph, tensor) for tensor in node.input[:2]]
    if scales[0] is None or scales[1] is None:
        return None
    return scales[0] * scales[1]


def scale_of(graph: Graph, tensor: str) -> Floats | None:
    """The scale of the DequantizeLinear that makes `tensor`; None when it is made otherwise."""
    maker = graph.producer(tensor)
    if maker is None or maker.op_type != "DequantizeLinear":
        return None
    return np.asarray(graph.constants[maker.input[1]], np.float64)


def _cast_first(graph: Graph) -> None:
    """Put the input's Cast before its Reshape and Transpose: TensorRT moves no UINT8 data."""
    image = graph.inputs[0]
    first = turn = _reader(graph, image)
    if first is not None and first.op_type == "Reshape":
        turn = graph.only_consumer(first.output[0])
    cast = graph.only_consumer(turn.output[0]) if turn is not None else None
    if first is None or turn is None or cast is None:
        return
    if (turn.op_type, cast.op_type) != ("Transpose", "Cast"):
        return
    end = cast.output[0]
    cast.input[0], cast.output[0] = image, f"{image}.cast"
    first.input[0], turn.output[0] = f"{image}.cast", end


def _reader(graph: Graph, tensor: str) -> NodeProto | None:
    """The one node that reads what `tensor` holds, whoever asks for its shape; None for several."""
    readers = [node for node in graph.consumers(tensor) if node.op_type != "Shape"]
    return readers[0] if len(readers) == 1 and tensor not in graph.outputs else None


@dataclass
class _Normalisation:
    """x = (p - mean) * gain a channel, and the tensor that the first layer reads.

    `rows`: the shape that the input is seen in, where rows of patches are its channels.
    """

    mean: Floats
    gain: Floats
    tensor: str
    rows: str | None


def _fold_input(graph: Graph) -> bool:
    """Let the first convolution read the bytes minus 128; True where that is exact."""
    found = _normalisation(graph)
    conv = graph.only_consumer(found.tensor) if found else None
    if found is None or conv is None or conv.op_type != "Conv" or conv.input[0] != found.tensor:
        return False
    options = attributes(conv)
    padded = any(options.get("pads", ())) or options.get("auto_pad", b"NOTSET") != b"NOTSET"
    weight = graph.constants.get(conv.input[1])
    if weight is None or options.get("group", 1) != 1:
        return False
    if padded and np.any(found.mean != MIDDLE):
        return False  # the border would be padded with another grey level
    mean, gain = (np.resize(v, weight.shape[1])[:, None, None] for v in (found.mean, found.gain))
    scaled = np.asarray(weight, np.float64) * gain
    shift = (scaled * (MIDDLE - mean)).sum(axis=(1, 2, 3))
    bias = np.asarray(graph.constants[conv.input[2]] if len(conv.input) > 2 else 0.0, np.float64)
    image = graph.inputs[0]
    graph.add("Cast", [image], "image.float", to=TensorProto.FLOAT)
    seen = "image.float"
    if found.rows is not None:
        seen = graph.add("Reshape", [seen, found.rows], ROWS).output[0]
    graph.add("Transpose", [seen], "image.nchw", perm=[0, 3, 1, 2])
    middle = graph.constant("image.middle", np.asarray(MIDDLE, np.float32))
    graph.add("Sub", ["image.nchw", middle], CENTRED)
    del conv.input[:]
    conv.input.extend(
        [
            CENTRED,
            graph.constant(f"{conv.name}.weight", scaled.astype(np.float32)),
            graph.constant(f"{conv.name}.bias", (bias + shift).astype(np.float32)),
        ]
    )
    return True


def _normalisation(graph: Graph) -> _Normalisation | None:
    """The steps from the input to the first layer: Reshape, Cast, Transpose, and arithmetic."""
    tensor, channels_first, rows = graph.inputs[0], False, None
    mean: Floats = np.zeros(3)
    gain: Floats = np.ones(3)
    while (node := _reader(graph, tensor)) is not None:
        if node.op_type == "Transpose" and not channels_first:
            channels_first = list(attributes(node)["perm"]) == [0, 3, 1, 2]
            if not channels_first:
                return None
        elif node.op_type == "Reshape" and tensor == graph.inputs[0]:
            rows = node.input[1]
        elif node.op_type in ("Add", "Sub", "Mul", "Div") and node.input[0] == tensor:
            value = _channels(graph, node.input[1], channels_first)
            if value is None:
                return None
            if node.op_type in ("Add", "Sub"):
                mean = mean + (value if node.op_type == "Sub" else -value) / gain
            else:
                gain = gain * value if node.op_type == "Mul" else gain / value
        elif node.op_type != "Cast":
            break
        tensor = node.output[0]
    return _Normalisation(mean, gain, tensor, rows) if channels_first else None


def _channels(graph: Graph, tensor: str, channels_first: bool) -> Floats | None:
    """A constant as one number for each of three channels, or None."""
    value = graph.constants.get(tensor)
    if value is None or value.size not in (1, 3):
        return None
    axis = 1 if channels_first else 3
    if value.size == 3 and (value.ndim < 4 - axis or value.shape[value.ndim - (4 - axis)] != 3):
        return None
    return np.broadcast_to(np.asarray(value, np.float64).reshape(-1), (3,)).copy()
