"""Figures that need no run: bytes, multiply-accumulates, convolutions proven INT8."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from edge_runtime.contract import Evidence, VariantSet
from edgefactory.compress import engines
from edgefactory.compress.conversion import LAYERS, Layers
from edgefactory.compress.subjects import Figure, Subject, TeacherFile
from edgefactory.datasets import Item
from edgefactory.datasets.documents import read_document
from edgefactory.datasets.teacher import tiles
from edgefactory.training import macs

FP32: Final = "onnx-fp32"  # the variant whose graph all others compute


def static_evidence(made: VariantSet, folder: Path, threads: int, snapshot: str) -> list[Evidence]:
    """The figures of all variants in `folder`, executed or not."""
    found: list[Evidence] = []
    count = _macs_of_variants(made, folder)
    for variant in made.variants:
        contents = {n: engines.read_file(folder / variant.name, variant, n) for n in variant.files}
        refs = variant.files
        subject = Subject(
            variant.name,
            variant.engine,
            variant.precision,
            refs[variant.main].sha256,
            tuple(ref.sha256 for ref in refs.values()),
            threads,
        )
        size = Figure(sum(len(content) for content in contents.values()), 1)
        found.append(subject.evidence("bytes", size, snapshot, unit="byte"))
        if count is not None:
            found.append(subject.evidence("macs", Figure(count, 1), snapshot, unit="MAC"))
        layers = folder / variant.name / LAYERS
        if layers.is_file():
            proof = read_document(layers, Layers)
            if proof.engine_sha256 == subject.file_sha256:
                share = Figure(proof.int8_share(), len(proof.convolutions))
                found.append(subject.evidence("int8_conv_share", share, snapshot))
    return found


def static_teacher_evidence(
    master: TeacherFile, subject: Subject, item: Item, snapshot: str
) -> list[Evidence]:
    """The teacher's: of all passes over a picture as large as that of `item`."""
    passes = len(tiles(item.width, item.height, master.looks))
    count = Figure(macs(master.path) * passes, 1)
    size = Figure(len(master.content), 1)
    return [
        subject.evidence("macs", count, snapshot, unit="MAC"),
        subject.evidence("bytes", size, snapshot, unit="byte"),
    ]


def _macs_of_variants(made: VariantSet, folder: Path) -> int | None:
    """Counted on the FP32 graph; None where it is not there."""
    variant = next((v for v in made.variants if v.name == FP32), None)
    if variant is None:
        return None
    content = engines.read_file(folder / variant.name, variant, variant.main)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / variant.main
        path.write_bytes(content)
        return macs(path)
