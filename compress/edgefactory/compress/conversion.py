"""The compress stage: a checkpoint becomes variants, one file set for each kind of hardware."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct

from edge_runtime.contract import (
    RECIPE_FILE,
    Engine,
    FileRef,
    Precision,
    Skipped,
    Variant,
    VariantSet,
    digest,
    encode,
    preprocess,
)
from edgefactory.compress import lowering, openvino_ir, portable, tensorrt
from edgefactory.compress.equalizing import equalized
from edgefactory.compress.graph import parse
from edgefactory.compress.machine import has_bf16, host
from edgefactory.compress.saturation import (
    SATURATION,
    LayerSums,
    Saturation,
    layers_in_graph,
    survey,
)
from edgefactory.compress.settings import CompressSettings
from edgefactory.datasets import Progress, Snapshot, load_picture, read_snapshot, snapshot_digest
from edgefactory.datasets.documents import read_document
from edgefactory.datasets.errors import EdgefactoryError, InputError
from edgefactory.datasets.files import fresh_folder, write_file
from edgefactory.training import Checkpoint, export_onnx, load_checkpoint

UInt8 = npt.NDArray[np.uint8]

VARIANTS: Final = "variants.json"
LAYERS: Final = "layers.json"
_CPU: Final = ("cpu",)
_JETSON: Final = "tensorrt-jetson-int8"


def compress(
    settings: CompressSettings, checkpoint: Path, snapshot: Path, out: Path, progress: Progress
) -> VariantSet:
    """Make the variants of `checkpoint` in the folder `out`: variants.json and their files.

    INT8 is calibrated on the train split of `snapshot`, which must be the one that the checkpoint
    was trained on. A variant that cannot be made here is listed as skipped, with the reason.
    Raises InputError when snapshot and checkpoint do not belong together, there is nothing to
    calibrate on, or the model itself cannot be quantized; StorageError when `out` is not writable.
    """
    trained = load_checkpoint(checkpoint)
    data = read_snapshot(snapshot)
    check_lineage(trained, snapshot_digest(snapshot), snapshot)
    progress(0, _STEPS, "exporting FP32 ONNX")
    work = Work(
        settings,
        _exported(trained),
        trained.ranges,
        calibration(settings.calibration, trained, data, snapshot),
        progress,
    )
    for target, make in _TARGETS.items():
        if target in settings.targets:
            make(work)
    result = write_variants(work, trained, out)
    progress(_STEPS, _STEPS, f"{len(result.variants)} variants")
    return result


def write_variants(work: Work, trained: Checkpoint, out: Path) -> VariantSet:
    """Write the folder of what was made of a checkpoint: variants.json and the files."""
    with fresh_folder(out, VARIANTS) as folder:
        for variant, files in work.made:
            for name, content in files.items():
                write_file(folder / variant.name / name, content)
        for name, content in work.notes.items():
            write_file(folder / name, content)
        result = VariantSet(
            schema="variants/1",
            task=trained.task,
            labels=trained.classes,
            input=trained.input,
            output=trained.output,
            checkpoint_sha256=trained.sha256,
            snapshot_sha256=trained.lineage.snapshot_sha256,
            variants=tuple(variant for variant, _ in work.made),
            skipped=tuple(work.skipped),
        )
        write_file(folder / VARIANTS, encode(result))
    return result


def load_variants(folder: Path) -> VariantSet:
    """The variants in `folder`, as `compress` wrote them. Their files are not looked at."""
    return read_document(folder / VARIANTS, VariantSet)


class Layers(Struct, frozen=True, forbid_unknown_fields=True):
    """`layers.json` beside a TensorRT engine: what its convolutions read, by the builder's log."""

    schema: Literal["layers/1"]
    engine_sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    convolutions: dict[str, str]

    def int8_share(self) -> float:
        """The share of the convolutions that read INT8 data, 0..1."""
        return tensorrt.int8_share(self.convolutions)


def check_lineage(trained: Checkpoint, found: str, snapshot: Path) -> None:
    """Raise InputError unless the checkpoint was trained on the snapshot of digest `found`."""
    expected = trained.lineage.snapshot_sha256
    if found != expected:
        raise InputError(
            f"{snapshot} is snapshot {found[:12]}…, the checkpoint was trained on "
            f"{expected[:12]}…: use that one, or train again"
        )


@dataclass
class Work:
    """One compression under way: what it starts from, and what has been made."""

    settings: CompressSettings
    fp32: bytes
    ranges: Mapping[str, float]
    pictures: Sequence[UInt8]
    progress: Progress
    made: list[tuple[Variant, Mapping[str, bytes]]] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    notes: dict[str, bytes] = field(default_factory=dict)
    qdq: bytes = b""
    even: bytes = b""

    def step(self, number: int, what: str) -> Callable[[object], None]:
        """Announce a step; the callback adds how far it is."""
        self.progress(number, _STEPS, what)
        return lambda part: self.progress(number, _STEPS, f"{what}: {part}")

    def add(
        self,
        name: str,
        engine: Engine,
        precision: Precision,
        files: Mapping[str, bytes],
        hardware: tuple[str, ...] = _CPU,
    ) -> None:
        """Keep a variant; its first file is the one that the engine opens."""
        refs = {n: FileRef(sha256=digest(c), bytes=len(c)) for n, c in files.items()}
        main = next(iter(files))
        self.made.append((Variant(name, engine, precision, hardware, main, refs), files))

    def note_sums(self, name: str, main: bytes, sums: tuple[LayerSums, ...]) -> None:
        """Say beside a variant, whose main file is `main`, what the pairs of its layers come to."""
        document = Saturation("saturation/1", digest(main), sums)
        self.notes[f"{name}/{SATURATION}"] = encode(document)

    def skip(self, name: str, error: EdgefactoryError | str) -> None:
        """Remember why a variant was not made."""
        self.skipped.append(Skipped(name, " ".join(str(error).split())))


def _onnx(work: Work) -> None:
    work.add("onnx-fp32", "onnxruntime", "f32", {"model.onnx": work.fp32})
    whole = _portable(work)
    sums = survey(layers_in_graph(parse(whole, "the portable INT8 model")))
    lowered = lowering.lower(whole)
    work.add("onnx-int8", "onnxruntime", "int8", {"model.onnx": lowered})
    work.note_sums("onnx-int8", lowered, sums)
    work.add("qdq-int8", "openvino", "int8", {"model.onnx": whole})
    work.note_sums("qdq-int8", whole, sums)


def _openvino(work: Work) -> None:
    work.step(2, "converting to OpenVINO IR")
    names = ("openvino-f32", "openvino-bf16", "openvino-int8")
    try:
        ir = openvino_ir.to_ir(work.fp32)
    except EdgefactoryError as error:
        for name in names:
            work.skip(name, error)
        return
    work.add(names[0], "openvino", "f32", ir)
    if has_bf16(host(())):
        work.add(names[1], "openvino", "bf16", ir)
    else:
        work.skip(names[1], "this CPU has no bf16 instructions, so it cannot be proven here")
    seen = work.step(3, "quantizing with NNCF")
    layers = work.settings.float_layers
    ir = openvino_ir.to_int8_ir(_even(work), work.pictures, layers, seen)
    work.add(names[2], "openvino", "int8", ir)
    work.note_sums(names[2], ir["model.xml"], openvino_ir.pair_sums(ir))


def add_tensorrt(work: Work) -> None:
    """Add what NVIDIA's devices run, made of the portable form, or why there is none."""
    _jetson(work)
    _rtx(work)


def _rtx(work: Work) -> None:
    name = "tensorrt-rtx-int8"
    seen = work.step(4, "building TensorRT-RTX engines")
    try:
        built = tensorrt.build_engine(_portable(work), work.settings.tensorrt_hardware, seen)
    except EdgefactoryError as error:
        work.skip(name, error)
        return
    work.add(name, "tensorrt-rtx", "int8", {"model.engine": built.engine}, built.hardware)
    layers = Layers("layers/1", digest(built.engine), built.convolutions)
    work.notes[f"{name}/{LAYERS}"] = encode(layers)
    for capability, reason in built.left_out.items():
        work.skip(f"{name}-{capability}", reason)


def _jetson(work: Work) -> None:
    """What a device builds for itself: the portable form, and how."""
    whole = _portable(work)
    try:
        recipe = tensorrt.recipe(whole, "tensorrt")
    except EdgefactoryError as error:
        work.skip(_JETSON, error)
        return
    files = {"model.onnx": whole, RECIPE_FILE: encode(recipe)}
    work.add(_JETSON, "tensorrt", "int8", files, work.settings.jetson_hardware)


_TARGETS: Final = {"onnx": _onnx, "openvino": _openvino, "tensorrt": add_tensorrt}
_STEPS: Final = 5


def _portable(work: Work) -> bytes:
    """The portable INT8 form, made once."""
    if not work.qdq:
        seen = work.step(1, "quantizing to symmetric INT8")
        work.qdq = portable.quantize_portable(
            _even(work), work.pictures, work.settings.float_layers, seen, work.ranges
        )
    return work.qdq


def _even(work: Work) -> bytes:
    """What is quantized: the FP32 model, its channels of like ranges. A network that was trained
    for INT8 has learned its own ranges, which stay."""
    if work.ranges:
        return work.fp32
    if not work.even:
        work.even = equalized(work.fp32, work.pictures)
    return work.even


def _exported(trained: Checkpoint) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return export_onnx(trained.folder, Path(folder) / "model.onnx").path.read_bytes()


def calibration(most: int, trained: Checkpoint, data: Snapshot, folder: Path) -> list[UInt8]:
    """Inputs made of up to `most` pictures, evenly spread over the train split."""
    items = data.split("train")
    count = min(most, len(items))
    chosen = [items[i * len(items) // count] for i in range(count)]
    return [preprocess(load_picture(folder, item), trained.input)[0] for item in chosen]
