"""Why a layer of one form departs from the form before: what is different there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from onnx import NodeProto

from edgefactory.compress.graph import Graph, attributes
from edgefactory.compress.parity.document import Kind
from edgefactory.compress.parity.inputs import Cause
from edgefactory.compress.parity.layers import Place
from edgefactory.compress.parity.pipeline import Form
from edgefactory.compress.parity.quantization import Weights, weights_of
from edgefactory.compress.parity.tracing import HEAVY, QUANTIZING, load_graph, read_openvino

_ARITHMETIC: Final = frozenset({"Add", "Sub", "Mul", "Div"})
_CLOSE: Final = 1e-5
_FEW: Final = 4  # numbers of a constant that can be told one by one
_STEPS: Final = 1.6  # two roundings of half a step each, and what bias correction moves


def float_cause(before: Form, form: Form, place: Place, missing: Sequence[str]) -> Cause:
    """Why the float layer `place` departs; `missing` are layers before it that are not there."""
    if missing:
        kind: Kind = (
            "normalisation" if place.before or _all_arithmetic(before, missing) else "structure"
        )
        return Cause(kind, f"{', '.join(missing)} of the form before cannot be found in it")
    if not (before.is_onnx and form.is_onnx):
        return _of_openvino(before, form, place)
    ours, theirs = load_graph(before), load_graph(form)
    a, b = node_of(ours, place), node_of(theirs, place)
    if a is None or b is None:
        return Cause("structure", "there is no such layer in it")
    said = _other_operator(a, b) or _other_constant(ours, theirs, a, b, place)
    if said is not None:
        return said
    if ours.opset != theirs.opset:
        says = f"{a.op_type} means another thing in opset {theirs.opset} than in {ours.opset}"
        return Cause("operator", says)
    return Cause("structure", "it reads other tensors")


def _all_arithmetic(before: Form, missing: Sequence[str]) -> bool:
    nodes = {n.name: n.op_type for n in load_graph(before).nodes} if before.is_onnx else {}
    return all(nodes.get(name) in _ARITHMETIC for name in missing)


def node_of(graph: Graph, place: Place) -> NodeProto | None:
    """The node that makes the layer's output, else the one of its name."""
    made = graph.producer(place.output)
    return made or next((node for node in graph.nodes if node.name == place.name), None)


def _other_operator(a: NodeProto, b: NodeProto) -> Cause | None:
    if a.op_type != b.op_type:
        return Cause("operator", f"it is a {b.op_type}, expected {a.op_type}")
    ours, theirs = attributes(a), attributes(b)
    for key in sorted({*ours} | {*theirs}):
        x, y = (_plain(side.get(key)) for side in (ours, theirs))
        if x != y:
            return Cause("operator", f"its {key} is {y}, expected {x}")
    return None


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return "not stated" if value is None else value


def _other_constant(
    ours: Graph, theirs: Graph, a: NodeProto, b: NodeProto, place: Place
) -> Cause | None:
    for at, (x, y) in enumerate(zip(a.input, b.input, strict=False)):
        if x in ours.constants and y in theirs.constants:
            said = _constants(ours.constants[x], theirs.constants[y], place, at)
            if said is not None:
                return said
    return None


def _constants(
    a: npt.NDArray[np.generic], b: npt.NDArray[np.generic], place: Place, at: int
) -> Cause | None:
    what = "weights" if place.op in HEAVY and at == 1 else "constant"
    small = max(a.size, b.size) <= _FEW
    if a.shape != b.shape and not small:
        return Cause("constant", f"its input {at} has the shape {b.shape}, expected {a.shape}")
    x, y = (np.asarray(side, np.float64) for side in (a, b))
    x, y = np.broadcast_arrays(x.ravel(), y.ravel()) if small and 1 in (a.size, b.size) else (x, y)
    if x.shape != y.shape:
        return Cause("constant", f"its input {at} has the shape {b.shape}, expected {a.shape}")
    wrong = ~np.isclose(x, y, rtol=_CLOSE, atol=_CLOSE * max(float(np.abs(x).max(initial=0)), 1e-9))
    if not wrong.any():
        return None
    if small:
        kind: Kind = "constant"
        if place.before:
            kind = "mean" if place.op in ("Add", "Sub") else "normalisation"
        said = (", ".join(f"{v:.4g}" for v in side.reshape(-1)) for side in (y, x))
        return Cause(kind, "its constant is {}, expected {}".format(*said))
    says = f"{_percent(wrong)} of its {what} are not those of the form before"
    return Cause("weights" if what == "weights" else "constant", says)


def _percent(wrong: npt.NDArray[np.bool_]) -> str:
    return f"{wrong.sum():,} of {wrong.size:,} ({_rounded(100 * float(wrong.mean()))}%)"


def _rounded(percent: float) -> str:
    return f"{percent:.0f}" if percent >= 1 else f"{percent:.2g}"


def _of_openvino(before: Form, form: Form, place: Place) -> Cause:
    ours, theirs = (_layer_weights(one, place) for one in (before, form))
    if ours is not None and theirs is not None and ours.size == theirs.size:
        wrong = ~np.isclose(np.sort(ours.ravel()), np.sort(theirs.ravel()), rtol=1e-3, atol=1e-6)
        if wrong.any():
            off = ~np.isclose(ours.ravel(), theirs.ravel(), rtol=1e-3, atol=1e-6)
            return Cause("weights", f"{_percent(off)} of its weights are not those before")
    return Cause("operator", f"this {place.op} computes otherwise")


def _layer_weights(form: Form, place: Place) -> npt.NDArray[np.float64] | None:
    if form.is_onnx:
        found = weights_of(load_graph(form), place.name)
        return None if found is None else found.values
    for node in read_openvino(form).get_ordered_ops():
        kind, name = node.get_type_name(), node.get_friendly_name()
        if name in (place.name, f"{place.name}/WithoutBiases") and kind in (
            "Convolution",
            "GroupConvolution",
            "MatMul",
        ):
            source = node.input_value(1).get_node()
            if source.get_type_name() == "Constant":
                return np.asarray(source.data, np.float64)
    return None


def spoilt_weights(normal: Form, form: Form, names: Sequence[str]) -> dict[str, str]:
    """The quantized layers whose weights lie further from ours than two roundings explain, and
    how many of them. Both forms are ONNX."""
    ours, theirs = load_graph(normal), load_graph(form)
    found = {}
    for name in names:
        a, b = weights_of(ours, name), weights_of(theirs, name)
        if a is None or b is None or a.values.shape != b.values.shape:
            continue
        wrong = np.abs(a.values - b.values) > _STEPS * _grid(a, b) + 1e-9
        if wrong.any():
            found[name] = f"{_percent(wrong)} of its weights are not those before, rounded"
    return found


def _grid(a: Weights, b: Weights) -> npt.NDArray[np.float64]:
    """The coarser step of the two; of float weights, what rounding errors allow."""
    step = np.maximum(a.step, b.step)
    return np.where(step > 0, step, _CLOSE * np.abs(a.values).max())


def changed_elsewhere(
    before: Form, form: Form, order: Sequence[Place]
) -> tuple[Place, Cause] | None:
    """The first layer after the last convolution whose attributes or constants were changed.

    The quantized form keeps those layers in float, under their names.
    """
    ours, theirs = load_graph(before), load_graph(form)
    there = {node.name: node for node in theirs.nodes if node.op_type not in QUANTIZING}
    mine = {node.name: node for node in ours.nodes}
    for place in order:
        a, b = mine.get(place.name), there.get(place.name)
        if not place.after or a is None or b is None:
            continue
        said = _other_operator(a, b) or _other_constant(ours, theirs, a, b, place)
        if said is not None:
            return place, said
    return None
