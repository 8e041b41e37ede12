"""What figures are about: a variant or the teacher, on one engine at one precision."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from edge_runtime.contract import (
    Engine,
    Evidence,
    InputSpec,
    Placement,
    Precision,
    Variant,
    VariantSet,
    digest,
    preprocess,
)
from edgefactory.compress import engines
from edgefactory.compress.engines import Loaded, Session
from edgefactory.compress.graph import input_size
from edgefactory.datasets import Snapshot, TeacherSettings, TiledTeacher
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.files import read_bytes
from edgefactory.datasets.teacher import tiles

UInt8 = npt.NDArray[np.uint8]

TEACHER: Final = "teacher"
_MAX_TEACHER_BYTES: Final = 256 * 2**20


@dataclass(frozen=True)
class Figure:
    """A value from `n` measurements or pictures, with its 95% interval where one was computed."""

    value: float
    n: int
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Subject:
    """A model as it was executed."""

    name: str
    engine: Engine
    precision: Precision
    file_sha256: str
    files_sha256: tuple[str, ...]
    threads: int

    def evidence(
        self,
        metric: str,
        figure: Figure,
        snapshot: str,
        *,
        against: str | None = None,
        unit: str = "",
        part: str = "all",
    ) -> Evidence:
        """A figure about this subject; `against` is the digest of the file it is compared with,
        `part` the slice of the pictures."""
        return Evidence(
            metric=metric,
            value=figure.value,
            n=figure.n,
            subject=self.name,
            file_sha256=self.file_sha256,
            snapshot_sha256=snapshot,
            engine=self.engine,
            engine_version=engines.engine_version(self.engine),
            precision=self.precision,
            threads=self.threads,
            interval=figure.interval,
            slice=part,
            unit=unit,
            against_sha256=against,
            files_sha256=self.files_sha256,
        )


@dataclass(frozen=True)
class Specialist:
    """A variant that is loaded, and the input that it wants."""

    subject: Subject
    session: Session
    input: InputSpec

    def prepare(self, picture: UInt8) -> tuple[UInt8, Placement]:
        """A picture as a batch of one, and where it lies in it."""
        pixels, place = preprocess(picture, self.input)
        return np.ascontiguousarray(pixels[None]), place


def specialists(made: VariantSet, folder: Path, threads: int) -> list[Specialist]:
    """The variants whose engine is here, loaded. Raises TrustError when a file was changed."""
    found = [
        Specialist(_of_variant(v, loaded), loaded.session, made.input)
        for v in made.variants
        if engines.unavailable(v.engine) is None
        for loaded in (engines.open_variant(v, folder / v.name, threads),)
    ]
    if not found:
        raise InputError(f"{folder} holds no variant that can run here; install onnxruntime")
    return found


def _of_variant(variant: Variant, loaded: Loaded) -> Subject:
    return Subject(
        variant.name,
        loaded.engine,
        loaded.precision,
        loaded.file_sha256,
        loaded.files_sha256,
        loaded.threads,
    )


@dataclass
class TeacherFile:
    """The teacher's bytes, hashed, and a private copy of them for what wants a path."""

    content: bytes
    path: Path
    label: int
    looks: TeacherSettings
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        self.sha256 = digest(self.content)

    def subject(self, engine: Engine, precision: Precision, threads: int) -> Subject:
        """The teacher on one engine."""
        return Subject(TEACHER, engine, precision, self.sha256, (self.sha256,), threads)

    def tiled(self, subject: Subject) -> TiledTeacher:
        """The tiled teacher as `subject` says."""
        settings = replace(
            self.looks,
            engine="openvino" if subject.engine == "openvino" else "onnxruntime",
            precision="bf16" if subject.precision == "bf16" else "f32",
            threads=subject.threads,
        )
        return TiledTeacher(self.path, settings)

    def passes(self, subject: Subject, picture: UInt8) -> Callable[[], None]:
        """All passes over the tiles of `picture`, one by one: engine calls only.

        One tile a call is faster than all in one batch (measured, with one thread), so it is what
        the teacher is compared by.
        """
        session = engines.load(
            subject.engine,
            {"teacher.onnx": self.content},
            "teacher.onnx",
            subject.precision,
            subject.threads,
        )
        width, height = input_size(self.content, "the teacher")
        spec = InputSpec(width=width, height=height, resize="pillow-bilinear")
        windows = tiles(picture.shape[1], picture.shape[0], self.looks)
        batches = [preprocess(picture[y0:y1, x0:x1], spec)[0][None] for x0, y0, x1, y1 in windows]

        def run() -> None:
            for batch in batches:
                session.run(batch)

        return run


@contextmanager
def teacher_file(path: Path, snapshot: Snapshot, looks: TeacherSettings) -> Iterator[TeacherFile]:
    """The teacher at `path`, read once; it tiles a picture as `looks` says.

    Raises InputError when it is not the model that labelled `snapshot`.
    """
    content = read_bytes(path, _MAX_TEACHER_BYTES, "teacher")
    found = digest(content)
    made_by = {
        label.origin.removeprefix("teacher:")
        for item in snapshot.items
        for label in item.labels
        if label.origin.startswith("teacher:")
    }
    if made_by and found not in made_by:
        raise InputError(
            f"{path} is {found[:12]}…, the snapshot was labelled by {min(made_by)[:12]}…: "
            "prove against that teacher"
        )
    label = snapshot.classes.index("person") if "person" in snapshot.classes else 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "teacher.onnx"
        copy.write_bytes(content)
        yield TeacherFile(content, copy, label, looks)
