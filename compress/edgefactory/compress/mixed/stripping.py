"""Layers of an IR that NNCF has quantized, given back their float: no second quantization.

A layer in float reads its data before the FakeQuantize, the weights of the float model, and its
bias, which NNCF has corrected for INT8. A FakeQuantize that no INT8 layer needs any more goes too.
What comes out is what NNCF makes when it is told to leave these layers alone, without its
calibration and bias correction of the others being done again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from edgefactory.compress.openvino_ir import HEAVY, SPLIT
from edgefactory.datasets.errors import InputError

_FAKE: Final = "FakeQuantize"


def strip(quantized: Any, floating: Any, layers: Sequence[str]) -> None:
    """Let `layers`, names of ONNX nodes, be in float in the IR model `quantized`, which is changed.

    `floating` is the model before it was quantized. Raises InputError when it has no such layer.
    """
    before, now = _by_name(floating), _by_name(quantized)
    chosen = [_layer(now, layer) for layer in layers]
    for layer, node in zip(layers, chosen, strict=True):
        original = _layer(before, layer)
        for port in range(2):
            source = node.input(port).get_source_output().get_node()
            if _constant(original.input(port)):
                node.input(port).replace_source_output(original.input(port).get_source_output())
            elif source.get_type_name() == _FAKE:
                node.input(port).replace_source_output(source.input(0).get_source_output())
        if layer in now and layer in before:
            _restore_bias(now[layer], before[layer])
    if chosen:
        _drop_idle(quantized, {node.get_friendly_name() for node in chosen})
        quantized.validate_nodes_and_infer_types()


def _by_name(model: Any) -> dict[str, Any]:
    return {node.get_friendly_name(): node for node in model.get_ordered_ops()}


def _layer(nodes: Mapping[str, Any], name: str) -> Any:
    """The convolution or product that the ONNX node has become."""
    for full in (f"{name}{SPLIT}", name):
        if full in nodes and nodes[full].get_type_name() in HEAVY:
            return nodes[full]
    raise InputError(f"OpenVINO's form of the model has no layer {name!r}: leave it out")


def _constant(port: Any) -> bool:
    """Whether what the port reads depends on no input of the model."""
    waiting = [port.get_source_output().get_node()]
    while waiting:
        node = waiting.pop()
        if node.get_type_name() == "Parameter":
            return False
        waiting += [one.get_source_output().get_node() for one in node.inputs()]
    return True


def _restore_bias(now: Any, before: Any) -> None:
    """Let an addition read the constants that it read before."""
    for port in range(now.get_input_size() if now.get_type_name() == "Add" else 0):
        if _constant(before.input(port)):
            now.input(port).replace_source_output(before.input(port).get_source_output())


def _drop_idle(model: Any, floating: Collection[str]) -> None:
    """Take out each FakeQuantize from which no way leads to an INT8 layer but through another."""
    leads: set[str] = set()
    for node in reversed(model.get_ordered_ops()):
        name, kind = node.get_friendly_name(), node.get_type_name()
        readers = [port for output in node.outputs() for port in output.get_target_inputs()]
        on = any(port.get_node().get_friendly_name() in leads for port in readers)
        if kind == _FAKE and not on:
            for port in readers:
                port.replace_source_output(node.input(0).get_source_output())
        elif (kind in HEAVY and name not in floating) or (kind not in HEAVY and on):
            leads.add(name)
