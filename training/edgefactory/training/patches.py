"""A first convolution over patches reads whole rows of a patch as channels: the same sums, sooner.

Engines pad three channels to the 16 or 64 that they compute at once. A convolution of k x k pixels
at stride k, without padding, is one of k x 1 over 3k channels, of a picture whose bytes lie in
memory as they did: [N,H,W,3] is seen as [N,H,W/k,3k].
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, helper, numpy_helper

_CHANNELS_FIRST: Final = [0, 3, 1, 2]


def rows_as_channels(model: ModelProto) -> bool:
    """Rewrite the model in place where its first layer is such a convolution; says whether it is.

    Between the input and the convolution there may be nothing but a Transpose and a Cast.
    """
    graph = model.graph
    turn = _only_reader(graph, graph.input[0].name, "Transpose")
    cast = turn and _only_reader(graph, turn.output[0], "Cast")
    conv = cast and _only_reader(graph, cast.output[0], "Conv")
    if not (turn and cast and conv) or _attribute(turn, "perm") != _CHANNELS_FIRST:
        return False
    weight = next((t for t in graph.initializer if t.name == conv.input[1]), None)
    _, height, width, _ = (d.dim_value for d in graph.input[0].type.tensor_type.shape.dim)
    if weight is None or not _is_patches(conv, list(weight.dims), width):
        return False
    outputs, _, side, _ = weight.dims
    rows = numpy_helper.to_array(weight).transpose(0, 3, 1, 2).reshape(outputs, -1, side, 1)
    weight.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(rows), weight.name))
    _set(conv, "kernel_shape", [side, 1])
    _set(conv, "strides", [side, 1])
    shape = np.array([0, height, width // side, 3 * side], np.int64)
    graph.initializer.append(numpy_helper.from_array(shape, "image.rows.shape"))
    node = helper.make_node(
        "Reshape", [turn.input[0], "image.rows.shape"], ["image.rows"], name="image.rows"
    )
    turn.input[0] = "image.rows"
    graph.node.insert(0, node)
    stale = {turn.output[0], cast.output[0], weight.name}
    kept = [info for info in graph.value_info if info.name not in stale]
    del graph.value_info[:]
    graph.value_info.extend(kept)
    return True


def _is_patches(conv: NodeProto, dims: list[int], width: int) -> bool:
    side = dims[2]
    return (
        dims[1:] == [3, side, side]
        and side > 1
        and width % side == 0
        and _attribute(conv, "strides") == [side, side]
        and not any(_attribute(conv, "pads") or ())
        and _attribute(conv, "auto_pad") in (None, b"NOTSET")
        and set(_attribute(conv, "dilations") or (1,)) == {1}
    )


def _only_reader(graph: GraphProto, tensor: str, kind: str) -> NodeProto | None:
    readers = [node for node in graph.node if tensor in node.input]
    return readers[0] if len(readers) == 1 and readers[0].op_type == kind else None


def _attribute(node: NodeProto, name: str) -> Any:
    found = next((a for a in node.attribute if a.name == name), None)
    return None if found is None else helper.get_attribute_value(found)


def _set(node: NodeProto, name: str, value: list[int]) -> None:
    kept = [a for a in node.attribute if a.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])
