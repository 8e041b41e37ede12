"""The FP32 ONNX model as OpenVINO IR, in float and, by NNCF's post-training quantization, INT8."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_runtime.openvino_core import openvino_core, quiet_openvino
from edgefactory.compress.admission import admit, admit_pictures, unsupported
from edgefactory.compress.saturation import LayerSums, float_weights, layers_in_ir, mend, survey
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.onnx_sessions import first_line

UInt8 = npt.NDArray[np.uint8]

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

    Weights are symmetric per channel, activations symmetric per tensor, without a sign where they
    have none: so the input's bytes are read by the first convolution as they are. (Asymmetric ones,
    NNCF's MIXED, are as fast and lost 0.9 and 3.1 points of a ResNet-18 and a MobileNetV3 where
    these lost none.) What follows the last convolution or matrix product
    (the decoding) and `float_layers` stay in float; weights whose sums could overflow have wider
    steps (see `saturation`). Errors as `to_ir`.
    """
    admit_pictures(pictures, admit(fp32, "the FP32 model"))
    model = _read(fp32)
    nncf = _quiet_nncf()
    done = seen or (lambda _: None)

    def batch(entry: tuple[int, UInt8]) -> UInt8:
        done(entry[0] + 1)
        return entry[1][None]

    layers = [f"{name}{end}" for name in float_layers for end in ("", "/WithoutBiases")]
    ignored = sorted({*_tail(model), *layers})
    with contextlib.redirect_stdout(io.StringIO()):  # its own progress bar
        quantized = nncf.quantize(
            model,
            nncf.Dataset(list(enumerate(pictures)), batch),
            preset=nncf.QuantizationPreset.PERFORMANCE,
            target_device=nncf.TargetDevice.CPU,
            subset_size=len(pictures),
            ignored_scope=nncf.IgnoredScope(names=ignored, validate=False),
        )
    mend(layers_in_ir(quantized, float_weights(model)))
    return _save(quantized)


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
