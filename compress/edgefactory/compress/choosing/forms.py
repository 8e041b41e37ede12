"""The forms that a network takes on each engine, and INT8 with as little float as margins need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from edge_runtime.contract import Engine, Precision, digest
from edgefactory.compress import engines
from edgefactory.compress.choosing.document import Attempt, Made
from edgefactory.compress.choosing.executable import Executable
from edgefactory.compress.choosing.networks import NetworkFile
from edgefactory.compress.choosing.panel import Panel
from edgefactory.compress.choosing.wishes import Wishes
from edgefactory.compress.equalizing import equalized
from edgefactory.compress.lowering import lower
from edgefactory.compress.machine import has_bf16, host
from edgefactory.compress.mixed import (
    Drop,
    IrForm,
    Keeping,
    LayerNoise,
    PortableForm,
    Validation,
    ranked,
    search,
)
from edgefactory.compress.openvino_ir import to_ir
from edgefactory.datasets import Progress
from edgefactory.datasets.errors import EdgefactoryError

UInt8 = npt.NDArray[np.uint8]
Layers = tuple[str, ...]
M = TypeVar("M")

REFERENCE: Final = "onnx-fp32"
PORTABLE: Final = "qdq"
_ONNX: Final = "model.onnx"


@dataclass(frozen=True)
class Tried:
    """An attempt, and its files' bytes where there are any."""

    attempt: Attempt
    model: Executable | None = None


@dataclass(frozen=True)
class _Form:
    """An INT8 form: its name's beginning, and how a mixture is made and run."""

    name: str
    engine: Engine
    make: Callable[[Layers], Executable]


@dataclass(frozen=True)
class Forms:
    """Makes and judges the forms of one network. `pictures` are inputs to calibrate on."""

    wishes: Wishes
    network: NetworkFile
    pictures: Sequence[UInt8]
    panel: Panel
    validation: Validation
    progress: Progress

    def floats(self) -> Iterator[Tried]:
        """Without quantization, for the targets."""
        targets = self.wishes.settings.targets
        if "onnx" in targets:
            yield self._float(REFERENCE, "onnxruntime", "f32", lambda: {_ONNX: self.network.fp32})
        if "openvino" in targets:
            yield self._float("openvino-f32", "openvino", "f32", self._ir)
            yield self._float("openvino-bf16", "openvino", "bf16", self._ir)

    def quantized(self, *, mixed: bool) -> Iterator[Tried]:
        """INT8 for the targets: all layers, and where that loses too much, a mixture if `mixed`."""
        forms = [_Form(PORTABLE, "openvino", self._portable_file)]
        if "onnx" in self.wishes.settings.targets:
            forms.append(_Form("onnx", "onnxruntime", self._lowered_file))
        if "openvino" in self.wishes.settings.targets:
            forms.append(_Form("openvino", "openvino", self._ir_files))
        for form in forms:
            yield from self._int8(form, mixed)

    @cached_property
    def _portable(self) -> PortableForm:
        ranges = self.network.checkpoint.ranges
        return PortableForm(self._even, self.pictures, ranges, self.wishes.cap)

    @cached_property
    def _nncf(self) -> IrForm:
        return IrForm(self._even, self.pictures, self.wishes.cap)

    @cached_property
    def _ranking(self) -> tuple[LayerNoise, ...]:
        """One pass serves all forms: they quantize the same layers."""
        return ranked(self._even, self.pictures, self.progress, self.wishes.cap)

    @cached_property
    def _even(self) -> bytes:
        """What is quantized: the FP32 model, its channels of like ranges. A network that was
        trained for INT8 has learned its own ranges, which stay."""
        if self.network.checkpoint.ranges:
            return self.network.fp32
        return equalized(self.network.fp32, self.pictures)

    def _ir(self) -> Mapping[str, bytes]:
        return to_ir(self.network.fp32)

    def _portable_file(self, layers: Layers) -> Executable:
        return Executable({_ONNX: self._portable.make(layers)}, _ONNX, "openvino", "int8")

    def _lowered_file(self, layers: Layers) -> Executable:
        content = lower(self._portable.make(layers))
        return Executable({_ONNX: content}, _ONNX, "onnxruntime", "int8")

    def _ir_files(self, layers: Layers) -> Executable:
        return Executable(self._nncf.make(layers), "model.xml", "openvino", "int8")

    def _float(
        self,
        name: str,
        engine: Engine,
        precision: Precision,
        make: Callable[[], Mapping[str, bytes]],
    ) -> Tried:
        empty = self._attempt(name, engine, precision, "export")
        if precision == "bf16" and not has_bf16(host(())):
            return _failed(empty, "this CPU has no bf16 instructions, so it cannot be judged here")
        try:
            files = make()
            model = Executable(files, next(iter(files)), engine, precision)
            drops = self._drops(name, model)
        except EdgefactoryError as error:
            return _failed(empty, error)
        return _made(empty, model, drops)

    def _int8(self, form: _Form, mixed: bool) -> Iterator[Tried]:
        name = f"{form.name}-int8"
        empty = self._attempt(name, form.engine, "int8", "ptq")
        try:
            model = form.make(())
            drops = self._drops(name, model)
        except EdgefactoryError as error:
            yield _failed(empty, error)
            return
        full = _made(empty, model, drops)
        yield full
        if mixed and not full.attempt.kept:
            yield self._mixture(form, full)

    def _mixture(self, form: _Form, full: Tried) -> Tried:
        name = f"{form.name}-mixed"
        empty = self._attempt(name, form.engine, "int8", "mixed")

        def make(layers: Layers) -> tuple[Layers, Executable]:
            return layers, form.make(layers)

        def judge(made: tuple[Layers, Executable]) -> tuple[Drop, ...]:
            layers, model = made
            return self._drops(name, model) if layers else full.attempt.drops

        try:
            found = search(make, judge, lambda: self._ranking, self.progress, self._keeping(form))
        except EdgefactoryError as error:
            return _failed(empty, error)
        layers, model = found.model
        empty = msgspec.structs.replace(empty, float_layers=layers, validations=len(found.tried))
        return _made(empty, model, found.chosen.drops)

    def _drops(self, name: str, model: Executable) -> tuple[Drop, ...]:
        said = f"{self.network.name}/{name}"
        return self.validation.drops(self.panel.ask(model, said, self.progress))

    def _keeping(self, form: _Form) -> Keeping:
        """Where a search goes on: all that its result depends on."""
        checkpoint, margins = self.network.checkpoint, self.wishes.margins
        pictures = digest(b"".join(picture.tobytes() for picture in self.pictures))
        return Keeping(
            self.wishes.out / "searches",
            [
                form.name,
                engines.engine_version(form.engine),
                digest(self.network.fp32),
                checkpoint.lineage.snapshot_sha256,
                pictures,
                [margins.all, margins.slices, dict(margins.named)],
            ],
        )

    def _attempt(self, form: str, engine: Engine, precision: Precision, made: Made) -> Attempt:
        return Attempt(self.network.name, form, engine, precision, made, self.network.macs)


def _made(empty: Attempt, model: Executable, drops: tuple[Drop, ...]) -> Tried:
    found = msgspec.structs.replace(empty, main=model.main, files=model.refs(), drops=drops)
    return Tried(found, model)


def _failed(empty: Attempt, why: EdgefactoryError | str) -> Tried:
    return Tried(msgspec.structs.replace(empty, why=" ".join(str(why).split())))
