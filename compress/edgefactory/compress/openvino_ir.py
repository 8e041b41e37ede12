"""The FP32 ONNX model as OpenVINO IR, in float and, by NNCF's post-training quantization, INT8."""

from __future__ import annotations

import contextlib
import io
import logging
import math
import re
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edge_runtime.contract import Precision
from edge_runtime.openvino_core import openvino_core, quiet_openvino
from edgefactory.compress import engines
from edgefactory.compress.admission import admit, admit_pictures, unsupported
from edgefactory.compress.saturation import LayerSums, float_weights, layers_in_ir, mend, survey
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.onnx_sessions import first_line

UInt8 = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

_COMPARED: Final = 64  # pictures on which two ways to quantize are compared
_SURE: Final = ("scores", "probabilities", "embedding")
_HEAVY = frozenset({"Convolution", "GroupConvolution", "MatMul"})


def to_ir(fp32: bytes) -> dict[str, bytes]:
    """The model as `model.xml` and `model.bin`, weights in f32.

    Raises InputError for what `admission` does not take, and when OpenVINO cannot read it; the
    message names the operation and layer.
    """
    admit(fp32, "the FP32 model")
    return _save(_read(fp32))


def to_int8_ir(
    fp32: bytes,
    pictures: Sequence[UInt8],
    float_layers: Sequence[str] = (),
    seen: Callable[[int], None] | None = None,
) -> dict[str, bytes]:
    """The model quantized by NNCF to INT8, as `model.xml` and `model.bin`.

    Weights are symmetric per channel. Activations are per tensor, symmetric or not, whichever says
    what is nearer to FP32 about the pictures: neither is always better, and both are as fast. The
    first convolution reads the input's bytes as they are. What follows the last convolution or
    matrix product (the decoding) and `float_layers` stay in float; weights whose sums could
    overflow have wider steps (see `saturation`). Errors as `to_ir`.
    """
    admit_pictures(pictures, admit(fp32, "the FP32 model"))
    exact = _said(to_ir(fp32), "f32", pictures)
    presets = _quiet_nncf().QuantizationPreset
    best, least = dict[str, bytes](), math.inf
    for preset in (presets.PERFORMANCE, presets.MIXED):
        made = _quantized(fp32, pictures, float_layers, (preset, seen or (lambda _: None)))
        away = float(np.abs(_said(made, "int8", pictures) - exact).mean())
        if away < least:
            best, least = made, away
    return best


def _quantized(
    fp32: bytes,
    pictures: Sequence[UInt8],
    float_layers: Sequence[str],
    how: tuple[Any, Callable[[int], None]],
) -> dict[str, bytes]:
    """Quantized by NNCF with one of its presets."""
    preset, seen = how
    model, nncf = _read(fp32), _quiet_nncf()

    def batch(entry: tuple[int, UInt8]) -> UInt8:
        seen(entry[0] + 1)
        return entry[1][None]

    layers = [f"{name}{end}" for name in float_layers for end in ("", "/WithoutBiases")]
    ignored = sorted({*_tail(model), *layers})
    with contextlib.redirect_stdout(io.StringIO()):  # its own progress bar
        quantized = nncf.quantize(
            model,
            nncf.Dataset(list(enumerate(pictures)), batch),
            preset=preset,
            target_device=nncf.TargetDevice.CPU,
            subset_size=len(pictures),
            ignored_scope=nncf.IgnoredScope(names=ignored, validate=False),
        )
    mend(layers_in_ir(quantized, float_weights(model)))
    return _save(quantized)


def _said(ir: Mapping[str, bytes], precision: Precision, pictures: Sequence[UInt8]) -> Floats:
    """How sure the model is of its decisions on some of the pictures, one row for each."""
    session = engines.load("openvino", ir, "model.xml", precision, 1)
    rows = []
    for picture in pictures[:_COMPARED]:
        outputs = session.run(picture[None])
        sure = [outputs[name] for name in _SURE if name in outputs] or list(outputs.values())
        rows.append(np.concatenate([np.asarray(value, np.float32).ravel() for value in sure]))
    return np.stack(rows)


def pair_sums(ir: Mapping[str, bytes]) -> tuple[LayerSums, ...]:
    """What the pairs of the INT8 layers of such a model can come to."""
    model = openvino_core().read_model(ir["model.xml"], ir["model.bin"])
    return survey(layers_in_ir(model))


def _quiet_nncf() -> ModuleType:
    """NNCF, without its log and what it lets torch say about a missing GPU compiler."""
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import nncf

    nncf.set_log_level(logging.ERROR)
    module: ModuleType = nncf
    return module


def _read(content: bytes) -> Any:
    try:
        return openvino_core().read_model(content)
    except RuntimeError as error:
        lacking = unsupported(str(error), content)
        if lacking is not None:
            raise InputError(
                f"OpenVINO cannot take {lacking}: replace that operation in the network, or leave "
                "openvino out of the targets"
            ) from error
        raise InputError(f"OpenVINO cannot read the model: {first_line(error)}") from error


def _save(model: Any) -> dict[str, bytes]:
    """The model's files. Names that OpenVINO counts up over a process are counted anew, and what
    NNCF notes about itself is left out, so that the bytes depend on the model alone."""
    for index, node in enumerate(model.get_ordered_ops()):
        kind = node.get_type_name()
        if re.fullmatch(rf"{kind}_\d+", node.get_friendly_name()):
            node.set_friendly_name(f"{kind}_{index}")
    if model.has_rt_info("nncf"):
        del model.rt_info["nncf"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.xml"
        quiet_openvino().save_model(model, str(path), compress_to_fp16=False)
        return {name: (path.parent / name).read_bytes() for name in ("model.xml", "model.bin")}


def _tail(model: Any) -> list[str]:
    """Names of the operations after which no convolution or matrix product comes."""
    leads: set[str] = set()
    names: list[str] = []
    for node in reversed(model.get_ordered_ops()):
        name, kind = node.get_friendly_name(), node.get_type_name()
        readers = {
            port.get_node().get_friendly_name()
            for output in node.outputs()
            for port in output.get_target_inputs()
        }
        if kind in _HEAVY or readers & leads:
            leads.add(name)
        elif kind not in ("Constant", "Result"):
            names.append(name)
    return names
