"""Which files, engines and precisions are measured, and what the arithmetic alone would take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import edge_runtime.errors
from edge_runtime.bench.graph import is_quantized
from edge_runtime.contract import BenchResult, Engine, Precision, Release, VariantSet
from edgefactory.compress.engines import MAX_VARIANT_BYTES, read_file, unavailable
from edgefactory.datasets.documents import read_document
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.files import read_bytes, write_file
from edgefactory.datasets.teachers.release import RELEASE, blobs_of
from edgefactory.training.graph import macs

VARIANTS: Final = "variants.json"


@dataclass(frozen=True)
class Candidate:
    """A file to be measured, and on what; `variant` is its name in a release or among variants."""

    path: Path
    engine: Engine
    precision: Precision
    variant: str = ""

    @property
    def name(self) -> str:
        """As people are told."""
        return self.variant or self.path.name


def candidates(
    paths: Sequence[Path],
    engines: Sequence[Engine],
    precisions: Sequence[Precision],
    scratch: Path,
) -> list[Candidate]:
    """All that makes sense of `paths` × `engines` × `precisions`, in that order.

    A quantized graph runs in int8 and another does not; bf16 and f16 are OpenVINO's, and so are its
    own files (.xml). No precisions at all: int8 or f32, as the graph is. The folder of a release,
    or of variants, is all of its variants, each on its own engine at its own precision; their files
    are checked and laid out in `scratch`. Raises InputError for a file or folder of which nothing
    is left, MissingError when it is not there, TrustError for a file that was changed.
    """
    found: list[Candidate] = []
    for number, path in enumerate(paths):
        if (path / RELEASE).is_file() or (path / VARIANTS).is_file():
            found += _variants(path, engines, precisions, scratch / str(number))
        else:
            found += _of(path, engines, precisions)
    return found


def _variants(
    folder: Path, engines: Sequence[Engine], precisions: Sequence[Precision], scratch: Path
) -> list[Candidate]:
    of_release = (folder / RELEASE).is_file()
    variants = (
        read_document(folder / RELEASE, Release).variants
        if of_release
        else read_document(folder / VARIANTS, VariantSet).variants
    )
    found = []
    for variant in variants:
        if variant.engine not in engines or (precisions and variant.precision not in precisions):
            continue
        home = folder / variant.name
        files = (
            blobs_of(variant, folder)
            if of_release
            else {name: read_file(home, variant, name) for name in variant.files}
        )
        for name, content in files.items():
            write_file(scratch / variant.name / name, content)
        path = scratch / variant.name / variant.main
        found.append(Candidate(path, variant.engine, variant.precision, variant.name))
    if not found:
        known = ", ".join(f"{v.name} ({v.engine}, {v.precision})" for v in variants)
        raise InputError(f"{folder} has no variant that can be measured so; it has {known}")
    return found


def _of(path: Path, engines: Sequence[Engine], precisions: Sequence[Precision]) -> list[Candidate]:
    quantized = _is_quantized(path)
    found = [
        Candidate(path, engine, precision)
        for engine in engines
        if engine == "openvino" or path.suffix != ".xml"
        for precision in precisions or (("int8",) if quantized else ("f32",))
        if quantized == (precision == "int8")
        and (engine == "openvino" or precision not in ("bf16", "f16"))
    ]
    if not found:
        kind = "quantized" if quantized else "not quantized"
        raise InputError(
            f"{path} is {kind}, so it cannot be measured as {', '.join(precisions) or 'it is'} on "
            f"{', '.join(engines)}; leave out --precision or --engine"
        )
    return found


def _is_quantized(path: Path) -> bool:
    if path.is_dir():
        raise InputError(
            f"{path} is a folder; expected a model's file, or the folder of a release ({RELEASE}) "
            f"or of variants ({VARIANTS})"
        )
    try:
        return is_quantized(path.name, read_bytes(path, MAX_VARIANT_BYTES, "model"))
    except edge_runtime.errors.RefusedError as error:
        raise InputError(f"{path}: {error}") from error


def engines_here() -> list[Engine]:
    """The engines that can be measured on this machine. Raises MissingError when there is none."""
    known: tuple[Engine, ...] = ("onnxruntime", "openvino")
    found = [engine for engine in known if unavailable(engine) is None]
    if not found:
        raise MissingError("no engine is installed: pip install onnxruntime")
    return found


def floor_ms(path: Path, peak_gflops: float) -> float | None:
    """Milliseconds of the graph's multiply-accumulates at `peak_gflops`, two operations each.

    None where they cannot be counted: OpenVINO's own files, and graphs of unknown shapes.
    """
    if path.suffix == ".xml":
        return None
    try:
        count = macs(path)
    except InputError:
        return None
    return 2 * count / peak_gflops / 1e6 if count else None


def peak_of(results: Sequence[BenchResult]) -> float:
    """The highest rate of f32 matrix products that any measurement saw, in GFLOP a second."""
    return max((result.peak_gflops for result in results), default=0.0)
