"""Channels brought to like ranges, so that one INT8 step suits a whole tensor. Exactly.

Where a convolution's result, itself or its ReLU, is read by one other convolution alone, a channel
can be divided by a power of two in the first one's weights and multiplied in the second one's: the
float model computes the same numbers to the bit (cross-layer equalization; Nagel et al., "Data-Free
Quantization Through Weight Equalization and Bias Correction", ICCV 2019, section 4.1). How much of
a channel's range is moved into the weights is the square root of both, with the ranges that
activations have on pictures (SmoothQuant; Xiao et al., ICML 2023, section 4, its alpha 0.5).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto, helper

from edgefactory.compress.admission import admit, admit_pictures
from edgefactory.compress.graph import Graph, attributes, parse
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.onnx_sessions import first_line, ort_refusals, session_options

UInt8 = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

_PICTURES: Final = 8  # that ranges are taken of
_LEAST: Final = 1e-9  # share of the largest range below which a channel is as good as dead
_SPREAD: Final = 4  # powers of two between channels from which a pair is worth touching
_MOST: Final = 12  # powers of two that a channel is moved by


def equalized(fp32: bytes, pictures: Sequence[UInt8]) -> bytes:
    """The FP32 ONNX model with channels of like ranges; the very bytes given where all are.

    `pictures`: inputs uint8 [H,W,3]. Raises InputError for what `admission` does not take, and for
    a model that ONNX Runtime cannot run.
    """
    admit_pictures(pictures, admit(fp32, "the FP32 model"))
    graph = parse(fp32, "the FP32 model")
    pairs = [(node, after) for node in graph.nodes if (after := _after(graph, node)) is not None]
    ranges = _ranges(fp32, [after.input[0] for _, after in pairs], pictures[:_PICTURES])
    moved = False
    for node, after in pairs:
        powers = _powers(graph, after, ranges[after.input[0]])
        if np.ptp(powers) >= _SPREAD:
            _move(graph, node, after, powers)
            moved = True
    return graph.to_bytes() if moved else fp32


def _after(graph: Graph, node: NodeProto) -> NodeProto | None:
    """The convolution that alone reads the result of the convolution `node`, or of its ReLU."""
    if node.op_type != "Conv" or node.input[1] not in graph.constants:
        return None
    if len(node.input) > 2 and node.input[2] not in graph.constants:
        return None
    reader = graph.only_consumer(node.output[0])
    if reader is not None and reader.op_type == "Relu":
        reader = graph.only_consumer(reader.output[0])
    if reader is None or reader.op_type != "Conv" or reader.input[1] not in graph.constants:
        return None
    channels, group = len(graph.constants[node.input[1]]), attributes(reader).get("group", 1)
    return reader if group in (1, channels) else None


def _ranges(fp32: bytes, tensors: Sequence[str], pictures: Sequence[UInt8]) -> dict[str, Floats]:
    """The largest absolute value of each channel of `tensors` [N,C,...] on the pictures."""
    import onnxruntime as ort

    if not tensors:
        return {}
    names = list(dict.fromkeys(tensors))
    model = onnx.load_from_string(fp32)
    del model.graph.output[:]
    model.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names
    )
    found: dict[str, Floats] = {}
    try:
        session = ort.InferenceSession(
            model.SerializeToString(), session_options(1), providers=["CPUExecutionProvider"]
        )
        for picture in pictures:
            values = session.run(names, {model.graph.input[0].name: picture[None]})
            for name, value in zip(names, values, strict=True):
                most = np.abs(value).max(axis=(0, 2, 3)).astype(np.float64)
                found[name] = np.maximum(found.get(name, most), most)
    except ort_refusals() as error:
        raise InputError(f"ONNX Runtime cannot run the FP32 model: {first_line(error)}") from error
    return found


def _powers(graph: Graph, after: NodeProto, ranges: Floats) -> npt.NDArray[np.int64]:
    """The power of two by which each channel [C] that `after` reads is to be divided."""
    weights = np.abs(np.asarray(graph.constants[after.input[1]], np.float64))
    live = ranges > _LEAST * ranges.max()
    share = np.where(live, ranges / max(ranges.max(), np.finfo(np.float64).tiny), 1.0)
    if attributes(after).get("group", 1) == 1:  # rows of weights have steps of their own
        rows = weights.reshape(len(weights), weights.shape[1], -1).max(axis=2)
        among = (rows / np.maximum(rows.max(axis=1, keepdims=True), _LEAST)).max(axis=0)
        live &= among > _LEAST
        share = np.sqrt(share / np.where(live, among, 1.0))
    powers = np.rint(np.log2(np.where(live, share, 1.0))).clip(-_MOST, _MOST)
    return np.where(live, powers, 0).astype(np.int64)


def _move(graph: Graph, node: NodeProto, after: NodeProto, powers: npt.NDArray[np.int64]) -> None:
    factors = np.ldexp(1.0, powers)
    node.input[1] = _scaled(graph, node.input[1], 1 / factors, 0)
    if len(node.input) > 2:
        node.input[2] = _scaled(graph, node.input[2], 1 / factors, 0)
    axis = 1 if attributes(after).get("group", 1) == 1 else 0
    after.input[1] = _scaled(graph, after.input[1], factors, axis)


def _scaled(graph: Graph, name: str, factors: Floats, axis: int) -> str:
    """A constant with each entry along `axis` times its factor; its new name."""
    values = np.asarray(graph.constants[name], np.float32)
    shape = [1] * values.ndim
    shape[axis] = -1
    return graph.constant(f"{name}.equalized", values * factors.astype(np.float32).reshape(shape))
