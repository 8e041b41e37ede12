"""Layers of an IR that NNCF has quantized, given back their float: no second quantization.

A layer in float reads its data before the FakeQuantize, the weights of the float model, and its
bias, which NNCF has corrected for INT8. A FakeQuantize that no INT8 layer needs any more goes too.
What comes out is what NNCF makes when it is told to leave these layers alone, without its
calibration and bias correction of the others being done again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from edge_runtime.openvino_core import openvino_core, quiet_openvino
from edgefactory.datasets.errors import InputError

_FAKE: Final = "FakeQuantize"
_HEAVY: Final = frozenset({"Convolution", "GroupConvolution", "MatMul"})
_SPLIT: Final = "/WithoutBiases"  # end of the name of a layer whose bias OpenVINO adds apart


def stripped(
    quantized: Mapping[str, bytes], floating: Mapping[str, bytes], layers: Sequence[str]
) -> dict[str, bytes]:
    """The IR `quantized` with `layers`, names of ONNX nodes, in float as they are in `floating`.

    All three are `model.xml` and `model.bin`. Raises InputError when there is no such layer.
    """
    core = openvino_core()
    before, model = (core.read_model(f["model.xml"], f["model.bin"]) for f in (floating, quantized))
    originals, now = _by_name(before), _by_name(model)
    chosen = [_layer(now, layer) for layer in layers]
    for layer, node in zip(layers, chosen, strict=True):
        original = _layer(originals, layer)
        for port in range(2):
            source = node.input(port).get_source_output().get_node()
            if _constant(original.input(port)):
                node.input(port).replace_source_output(original.input(port).get_source_output())
            elif source.get_type_name() == _FAKE:
                node.input(port).replace_source_output(source.input(0).get_source_output())
        if layer in now and layer in originals:
            _restore_bias(now[layer], originals[layer])
    _drop_idle(model, {node.get_friendly_name() for node in chosen})
    model.validate_nodes_and_infer_types()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.xml"
        quiet_openvino().save_model(model, str(path), compress_to_fp16=False)
        return {name: (path.parent / name).read_bytes() for name in ("model.xml", "model.bin")}


def _by_name(model: Any) -> dict[str, Any]:
    return {node.get_friendly_name(): node for node in model.get_ordered_ops()}


def _layer(nodes: Mapping[str, Any], name: str) -> Any:
    """The convolution or product that the ONNX node has become."""
    for full in (f"{name}{_SPLIT}", name):
        if full in nodes and nodes[full].get_type_name() in _HEAVY:
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
        elif (kind in _HEAVY and name not in floating) or (kind not in _HEAVY and on):
            leads.add(name)
