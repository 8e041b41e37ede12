"""The two INT8 forms that a search can mix: calibrated once, then made anew for each mixture."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from edgefactory.compress.admission import admit, admit_pictures
from edgefactory.compress.mixed.memory import alone
from edgefactory.compress.mixed.sensitivity import FP32, PICTURES, lay_out
from edgefactory.compress.mixed.stripping import stripped
from edgefactory.compress.mixed.switched import UInt8
from edgefactory.compress.openvino_ir import to_int8_ir, to_ir
from edgefactory.compress.portable import quantize_portable

_KEPT, _PORTABLE = "kept.json", "portable.onnx"


class PortableForm:
    """The portable form's mixtures. The pictures, uint8 [H,W,3], are run once, for the first."""

    def __init__(
        self,
        fp32: bytes,
        pictures: Sequence[UInt8],
        ranges: Mapping[str, float] | None = None,
        cap: int | None = None,
    ) -> None:
        """`ranges` are as in `quantize_portable`; `cap`: MiB that a process of its own may hold for
        each; None makes them in this one.

        Raises InputError for pictures that the model does not take.
        """
        admit_pictures(pictures, admit(fp32, "the FP32 model"))
        self._fp32, self._pictures, self._cap = fp32, pictures, cap
        self._ranges, self._kept = dict(ranges or {}), b""

    def make(self, float_layers: Sequence[str]) -> bytes:
        """The ONNX model that leaves `float_layers` in float. Errors as `quantize_portable`."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            if self._kept:
                (folder / _KEPT).write_bytes(self._kept)
            if self._cap is None:
                made = quantize_portable(
                    self._fp32, self._pictures, float_layers, None, self._ranges, folder / _KEPT
                )
            else:
                lay_out(folder, self._fp32, self._pictures)
                work = partial(_portable, tuple(float_layers), self._ranges)
                alone(work, folder, self._cap, "quantizing")
                made = (folder / _PORTABLE).read_bytes()
            self._kept = (folder / _KEPT).read_bytes()
        return made


def _portable(float_layers: tuple[str, ...], ranges: dict[str, float], folder: Path) -> None:
    pictures = list(np.load(folder / PICTURES, mmap_mode="r", allow_pickle=False))
    fp32, kept = (folder / FP32).read_bytes(), folder / _KEPT
    made = quantize_portable(fp32, pictures, float_layers, None, ranges, kept)
    (folder / _PORTABLE).write_bytes(made)


class IrForm:
    """OpenVINO's mixtures: NNCF quantizes all once, in a process of its own, and the layers in
    float are stripped. `pictures`: uint8 [H,W,3]."""

    def __init__(self, fp32: bytes, pictures: Sequence[UInt8], cap: int | None = None) -> None:
        """`cap`: MiB that the process may hold. Raises InputError for pictures that the model does
        not take."""
        admit_pictures(pictures, admit(fp32, "the FP32 model"))
        self._fp32, self._pictures, self._cap = fp32, pictures, cap

    def make(self, float_layers: Sequence[str]) -> dict[str, bytes]:
        """`model.xml` and `model.bin` that leave `float_layers` in float.

        Raises InputError for a model that OpenVINO cannot read, no picture, or an unknown layer.
        """
        if not float_layers:
            return dict(self._quantized)
        return stripped(self._quantized, self._floating, float_layers)

    @cached_property
    def _floating(self) -> Mapping[str, bytes]:
        return to_ir(self._fp32)

    @cached_property
    def _quantized(self) -> Mapping[str, bytes]:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            lay_out(folder, self._fp32, self._pictures)
            alone(_ir, folder, self._cap, "quantizing with NNCF")
            return {file: (folder / file).read_bytes() for file in ("model.xml", "model.bin")}


def _ir(folder: Path) -> None:
    pictures = np.load(folder / PICTURES, mmap_mode="r", allow_pickle=False)
    for name, content in to_int8_ir((folder / FP32).read_bytes(), pictures).items():
        (folder / name).write_bytes(content)
