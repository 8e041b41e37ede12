"""Sums of two products that do not fit 16 bits, on processors without VNNI; and their mend.

Before VNNI, x86 processors multiply unsigned bytes by signed ones with `vpmaddubsw`: two
neighbouring products are added in INT16, which saturates without a word. From there on sums are
exact, so what matters is one pair: bytes a, b of 0..255 and weights u, v give a·u + b·v, and it
fits whatever the picture is exactly when the pair's weights of one sign come to at most 128.
Calibration maps a layer's range onto all 256 bytes, so no narrower range of them can be assumed.
Which weights are neighbours:

- oneDNN (OpenVINO), AVX2 and AVX512 without VNNI: input channels 2j and 2j+1 of a group, at one
  place of the kernel; in products of matrices 2j and 2j+1 of the inner axis. Where there is one
  channel only, its places in column order (AVX512). Found by probing each pair of weights under
  `ONEDNN_MAX_CPU_ISA`; the instruction is documented in oneDNN's "Nuances of int8 computations".
  INT8 activations are shifted by 128 to bytes first.
- ONNX Runtime (MLAS `ConvSymKernelAvx2.S`, `QgemmU8S8KernelAvx2.S`): the same along channels where
  their number is a multiple of four; else along the whole row-major run of places and channels
  that im2col makes. Its session option `session.x64quantprecision` avoids
  the instruction for layers with weights beyond 64, at a price on every processor; our files need
  it not.
- Depthwise convolutions pair nothing in either: their products are widened first.

The worst of those pairings counts. Each output channel that can overflow gets wider steps, just so
wide that it cannot: so every processor decides the same. To hold all weights in 7 bits, as others
do, rounds twice as coarsely where pairs of two large weights of one sign are few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct

from edgefactory.compress.graph import Graph, attributes

Int8 = npt.NDArray[np.int8]
Whole = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

SATURATION: Final = "saturation.json"
LARGEST_BYTE: Final = 255
LARGEST_SUM: Final = 2**15 - 1
LARGEST: Final = 127  # of the numbers that weights become
_WIDER: Final = 1.01  # at least, each time that rounding has made a sum too large again

Count = Annotated[int, Meta(ge=0)]


class LayerSums(Struct, frozen=True, forbid_unknown_fields=True):
    """A layer's largest |sum of a pair| over all pictures."""

    name: str
    largest_pair_sum: Count

    def overflows(self) -> bool:
        """Whether a processor without VNNI may compute something else."""
        return self.largest_pair_sum > LARGEST_SUM


class Saturation(Struct, frozen=True, forbid_unknown_fields=True):
    """`saturation.json` beside an INT8 variant: its INT8 layers in running order."""

    schema: Literal["saturation/1"]
    file_sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    layers: tuple[LayerSums, ...]


@dataclass(frozen=True)
class Layer:
    """The INT8 weights of a layer whose kernel adds pairs.

    `weights` [M,C,...]: output channel, input channel within the group, the kernel's axes; `scale`:
    one an output channel [M], or one for all [1]; `exact`: the weights in float; `put` replaces
    weights and scale.
    """

    name: str
    weights: Int8
    scale: Floats
    exact: Floats
    put: Callable[[Int8, Floats], None]


def survey(layers: Iterable[Layer]) -> tuple[LayerSums, ...]:
    """What each layer's pairs can come to."""
    return tuple(
        LayerSums(
            name=layer.name,
            largest_pair_sum=int(largest_pair_sums(layer.weights).max()),
        )
        for layer in layers
    )


def mend(layers: Iterable[Layer]) -> None:
    """Quantize the weights of layers that can overflow anew, in steps as wide as pairs need."""
    for layer in layers:
        if (largest_pair_sums(layer.weights) > LARGEST_SUM).any():
            layer.put(*fitted(layer.exact, layer.scale))


def fitted(exact: Floats, scale: Floats) -> tuple[Int8, Floats]:
    """The weights `exact` [M,C,...] as multiples of steps that are at least `scale`, [M] or one for
    all [1], and those steps: wider where sums of pairs could overflow, by no more than they must.
    """
    while True:
        whole = np.rint(exact / _along(scale, exact)).clip(-LARGEST, LARGEST).astype(np.int8)
        excess = largest_pair_sums(whole) / LARGEST_SUM
        if (excess <= 1).all():
            return whole, scale
        wider = np.where(excess > 1, np.maximum(excess, _WIDER), 1)
        scale = (scale * (wider if len(scale) > 1 else wider.max())).astype(np.float32)


def largest_pair_sums(weights: Int8) -> Whole:
    """The largest |sum of a pair| that bytes can reach, for each output channel of `weights`
    [M,C,...]: int64 [M]."""
    count, whole = len(weights), np.asarray(weights, np.int64)
    rows_first = np.moveaxis(whole, 1, -1)
    columns_first = np.moveaxis(whole.swapaxes(-1, -2), 1, -1) if whole.ndim == 4 else rows_first
    runs = (
        rows_first.reshape(-1, whole.shape[1]),
        rows_first.reshape(count, -1),
        columns_first.reshape(count, -1),
    )
    sums = np.stack([_worst(run).reshape(count, -1).max(axis=1) for run in runs])
    largest: Whole = sums.max(axis=0)
    return largest


def _worst(runs: Whole) -> Whole:
    """The largest |sum| of the pairs of each run [R,K]: int64 [R]."""
    even = np.pad(runs, ((0, 0), (0, runs.shape[1] % 2)))
    pairs = even.reshape(len(runs), -1, 2)
    up, down = np.maximum(pairs, 0).sum(axis=2), np.maximum(-pairs, 0).sum(axis=2)
    worst: Whole = LARGEST_BYTE * np.maximum(up, down).max(axis=1)
    return worst


def _along(each: Any, weights: Any) -> Any:
    """One number an output channel, in a shape that meets `weights`."""
    return each.reshape((-1,) + (1,) * (weights.ndim - 1))


def layers_in_graph(graph: Graph, exact: Mapping[str, Floats] | None = None) -> Iterator[Layer]:
    """The layers of a QDQ graph whose weights are INT8 and whose kernels add pairs.

    `exact`: float weights by layer, where they are known better than from the INT8 ones.
    """
    for node in graph.nodes:
        weight = graph.producer(node.input[1]) if node.op_type in _GRAPH_LAYERS else None
        if weight is None or weight.input[0] not in graph.constants:
            continue
        whole, scale = (graph.constants[name] for name in weight.input[:2])
        options = attributes(node)
        if whole.dtype != np.int8 or _depthwise(whole.shape[1], options.get("group", 1)):
            continue
        turned = node.op_type != "Conv" and not options.get("transB", 0)

        def put(fresh: Int8, coarse: Floats, weight: Any = weight, turned: bool = turned) -> None:
            shape = graph.constants[weight.input[1]].shape
            weight.input[0] = graph.constant(f"{weight.input[0]}.half", _outputs(fresh, turned))
            weight.input[1] = graph.constant(f"{weight.input[1]}.half", coarse.reshape(shape))

        weights, each = _outputs(whole, turned), np.asarray(scale, np.float32).reshape(-1)
        known = (exact or {}).get(node.name)
        values = weights * _along(each, weights) if known is None else _outputs(known, turned)
        yield Layer(node.name, weights, each, values, put)


def float_weights(model: Any) -> dict[str, Floats]:
    """The weights of a float model of OpenVINO by layer, as it stores them."""
    nodes = [n for n in model.get_ordered_ops() if n.get_type_name() in _IR_LAYERS]
    weights = {n.get_friendly_name(): _weights_of(n) for n in nodes}
    return {n: np.array(w.data) for n, w in weights.items() if w.get_type_name() == "Constant"}


def layers_in_ir(model: Any, exact: Mapping[str, Floats] | None = None) -> Iterator[Layer]:
    """The same for a model of OpenVINO that NNCF has quantized."""
    for node in list(model.get_ordered_ops()):
        kind = node.get_type_name()
        product = _quantized_weights(node) if kind in _IR_LAYERS else None
        if product is None:
            continue
        whole, scale = _constant(product.input_value(0).get_node(), 0), _constant(product, 1)
        stored = np.array(whole.data)
        grouped = kind == "GroupConvolution"  # weights [G,M/G,C/G,...]
        if grouped and _depthwise(stored.shape[2], stored.shape[0]):
            continue
        turned = kind == "MatMul" and not node.get_attributes()["transpose_b"]

        def arranged(array: Any, grouped: bool = grouped, turned: bool = turned) -> Any:
            return array.reshape(-1, *array.shape[2:]) if grouped else _outputs(array, turned)

        def put(fresh: Int8, coarse: Floats, product: Any = product, turned: bool = turned) -> None:
            _replace(product.input_value(0).get_node(), 0, _outputs(fresh, turned))
            _replace(product, 1, coarse)

        name, weights = node.get_friendly_name(), arranged(stored)
        each = np.array(scale.data, np.float32).reshape(-1)
        step, values = _along(each, weights), weights * _along(each, weights)
        if exact is not None and name in exact:
            # NNCF may have moved weights between layers: then these are not what it rounded.
            known = arranged(exact[name].reshape(stored.shape))
            values = np.clip(known, values - step / 2, values + step / 2)
        yield Layer(name, weights, each, values, put)


_GRAPH_LAYERS: Final = ("Conv", "Gemm", "MatMul")
_IR_LAYERS: Final = ("Convolution", "GroupConvolution", "MatMul")


def _quantized_weights(node: Any) -> Any:
    """What makes a layer's weights, where that is Multiply(Convert(INT8 constant), constant), as
    NNCF leaves symmetric ones; else None."""
    product = _weights_of(node)
    if product.get_type_name() != "Multiply":
        return None
    convert = product.input_value(0).get_node()
    whole = _constant(convert, 0) if convert.get_type_name() == "Convert" else None
    if whole is None or _constant(product, 1) is None:
        return None
    return product if whole.get_element_type().get_type_name() == "i8" else None


def _constant(node: Any, index: int) -> Any:
    """The constant that a node reads; None where it reads something else."""
    found = node.input_value(index).get_node()
    return found if found.get_type_name() == "Constant" else None


def _weights_of(node: Any) -> Any:
    weights = node.input_value(1).get_node()
    while weights.get_type_name() == "Reshape":
        weights = weights.input_value(0).get_node()
    return weights


def _replace(node: Any, index: int, value: Any) -> None:
    """Let a node read other numbers; whoever else reads its constant is left alone."""
    from openvino import opset13

    old = _constant(node, index)
    fresh = opset13.constant(np.ascontiguousarray(value).reshape(old.data.shape))
    fresh.set_friendly_name(old.get_friendly_name())
    node.input(index).replace_source_output(fresh.output(0))


def _depthwise(channels: int, groups: int) -> bool:
    """One input channel a group: such kernels add no pairs."""
    return channels == 1 and groups > 1


def _outputs(matrix: Any, turned: bool) -> Any:
    """A matrix with its output channels first, where they are last; and back."""
    return np.ascontiguousarray(matrix.swapaxes(-1, -2)) if turned else matrix
