"""The two INT8 forms that a search can mix: calibrated once, then made anew for each mixture."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from edgefactory.compress.engines import quiet_openvino
from edgefactory.compress.mixed.memory import capped
from edgefactory.compress.mixed.sensitivity import require_inputs
from edgefactory.compress.mixed.stripping import strip
from edgefactory.compress.mixed.switched import UInt8
from edgefactory.compress.openvino_ir import files_of, read_model, to_int8_ir
from edgefactory.compress.portable import quantize_portable
from edgefactory.datasets.workers import spread

_FP32, _PICTURES, _RANGES = "fp32.onnx", "pictures.npy", "ranges.json"


class PortableForm:
    """The portable form's mixtures. The pictures, uint8 [H,W,3], are run once, for the first."""

    def __init__(
        self, fp32: bytes, pictures: Sequence[UInt8], ranges: Mapping[str, float] | None = None
    ) -> None:
        """`ranges` are as in `quantize_portable`. Raises InputError for pictures that the model
        does not take."""
        require_inputs(fp32, pictures)
        self._fp32, self._pictures, self._ranges = fp32, pictures, ranges
        self._kept = b""

    def make(self, float_layers: Sequence[str]) -> bytes:
        """The ONNX model that leaves `float_layers` in float. Errors as `quantize_portable`."""
        with tempfile.TemporaryDirectory() as folder:
            kept = Path(folder) / _RANGES
            if self._kept:
                kept.write_bytes(self._kept)
            made = quantize_portable(
                self._fp32, self._pictures, float_layers, None, self._ranges, kept
            )
            self._kept = kept.read_bytes()
        return made


class IrForm:
    """OpenVINO's mixtures: NNCF quantizes all once, and the layers in float are stripped.

    NNCF works in a process of its own that has no torch, which it would load (490 MB) and not use,
    and that may take `cap` MiB; its memory is free again afterwards.
    """

    def __init__(self, fp32: bytes, pictures: Sequence[UInt8], cap: int | None = None) -> None:
        """Raises InputError for pictures that the model does not take."""
        require_inputs(fp32, pictures)
        self._fp32, self._pictures, self._cap = fp32, pictures, cap

    def make(self, float_layers: Sequence[str]) -> dict[str, bytes]:
        """`model.xml` and `model.bin` that leave `float_layers` in float.

        Raises InputError for a model that OpenVINO cannot read, no picture, or an unknown layer.
        """
        files = self._quantized
        if not float_layers:
            return dict(files)
        model = quiet_openvino().Core().read_model(files["model.xml"], files["model.bin"])
        strip(model, self._floating, float_layers)
        return files_of(model)

    @cached_property
    def _floating(self) -> Any:
        return read_model(self._fp32)

    @cached_property
    def _quantized(self) -> Mapping[str, bytes]:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / _FP32).write_bytes(self._fp32)
            np.save(folder / _PICTURES, np.stack(self._pictures), allow_pickle=False)
            with closing(spread(partial(_alone, self._cap), [folder], 1)) as work:
                for _ in work:
                    pass
            return {file: (folder / file).read_bytes() for file in ("model.xml", "model.bin")}


def _alone(cap: int | None) -> Callable[[Path], None]:
    """What the process of its own does: quantize what lies in a folder."""
    sys.modules["torch"] = None  # type: ignore[assignment]  # how Python is told not to import it
    return partial(_quantize, cap)


def _quantize(cap: int | None, folder: Path) -> None:
    with capped(cap, "quantizing with NNCF"):
        pictures = np.load(folder / _PICTURES, mmap_mode="r", allow_pickle=False)
        made = to_int8_ir((folder / _FP32).read_bytes(), pictures)
    for name, content in made.items():
        (folder / name).write_bytes(content)
