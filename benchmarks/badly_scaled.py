"""A network that decides the same, and whose layers are hard to quantize: channels badly scaled.

Channels of a convolution are multiplied by powers of two and the next convolution's weights divided
by them, where only a ReLU stands between: the float network is the same to the bit, but a tensor's
one scale no longer suits all of its channels. Training does this by itself, above all to networks
of the MobileNet kind (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias
Correction", ICCV 2019, section 3); here it is done where one wants it.
"""

import numpy as np
import numpy.typing as npt
from onnx import NodeProto

from edgefactory.compress.graph import Graph, attributes, parse

Floats = npt.NDArray[np.float32]

_SHARE = 4  # one channel of so many
_LARGEST = 6  # powers of two


def badly_scaled(fp32: bytes, layers: int, seed: int) -> bytes:
    """The model with the channels between `layers` pairs of convolutions badly scaled.

    Raises ValueError when it has fewer such pairs.
    """
    graph = parse(fp32, "the model")
    pairs = [(node, after) for node in graph.nodes if (after := _after(graph, node)) is not None]
    if len(pairs) < layers:
        raise ValueError(f"the model has {len(pairs)} pairs of convolutions, not {layers}")
    chance = np.random.default_rng(seed)
    for place in chance.permutation(len(pairs))[:layers]:
        node, after = pairs[place]
        _rescale(graph, node, after, chance)
    return graph.to_bytes()


def _after(graph: Graph, node: NodeProto) -> NodeProto | None:
    """The convolution that alone reads the result of `node`, itself or its ReLU."""
    if node.op_type != "Conv" or node.input[1] not in graph.constants:
        return None
    reader = graph.only_consumer(node.output[0])
    if reader is not None and reader.op_type == "Relu":
        reader = graph.only_consumer(reader.output[0])
    if reader is None or reader.op_type != "Conv" or reader.input[1] not in graph.constants:
        return None
    return reader


def _rescale(graph: Graph, node: NodeProto, after: NodeProto, chance: np.random.Generator) -> None:
    weights = graph.constants[node.input[1]]
    channels = len(weights)
    chosen = chance.permutation(channels)[: max(1, channels // _SHARE)]
    factors = np.ones(channels, np.float32)
    factors[chosen] = 2.0 ** chance.integers(_LARGEST - 2, _LARGEST + 1, len(chosen))
    node.input[1] = graph.constant(f"{node.name}.scaled", _times(weights, factors, 0))
    if len(node.input) > 2:
        bias = graph.constants[node.input[2]]
        node.input[2] = graph.constant(f"{node.name}.bias.scaled", _times(bias, factors, 0))
    axis = 0 if attributes(after).get("group", 1) == channels else 1  # depthwise: by output
    following = graph.constants[after.input[1]]
    scaled = _times(following, np.asarray(1 / factors, np.float32), axis)
    after.input[1] = graph.constant(f"{after.name}.unscaled", scaled)


def _times(value: object, factors: Floats, axis: int) -> Floats:
    tensor = np.asarray(value, np.float32)
    shape = [1] * tensor.ndim
    shape[axis] = -1
    return np.asarray(tensor * factors.reshape(shape), np.float32)
