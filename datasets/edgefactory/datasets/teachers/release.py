"""One of our own releases as a teacher: what a branch runs, labelling for the next one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from msgspec import Struct

from edge_runtime.contract import InputSpec, Release, Variant, preprocess
from edgefactory.datasets.documents import read_document
from edgefactory.datasets.errors import InputError, TrustError
from edgefactory.datasets.files import read_bytes
from edgefactory.datasets.teachers.engines import MAX_MODEL_BYTES, load
from edgefactory.datasets.teachers.found import Pixels
from edgefactory.datasets.teachers.graphs import GraphTeacher, Prepared, digest_of
from edgefactory.datasets.teachers.outputs import recognise
from edgefactory.datasets.teachers.spec import EngineSettings, TeacherSpec, names_of, options_of

RELEASE: Final = "release.json"
_BEST_FIRST: Final = ("f32", "bf16", "f16", "int8")


class ReleaseOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """`variant` by its name; else the most precise one for the engine that is asked for."""

    variant: str | None = None


def open_release(spec: TeacherSpec, path: Path, engine: EngineSettings) -> GraphTeacher:
    """The release in the folder `path`: `release.json` and `blobs/`, or a release.json itself.

    Raises `TrustError` when a file is not what the release says. Who signed it is not asked.
    """
    document = path / RELEASE if path.is_dir() else path
    release = read_document(document, Release)
    if release.task == "embedding":
        raise InputError(f"teacher {document}: a model of task embedding gives no labels")
    name = options_of(spec, ReleaseOptions).variant
    variant = choose_variant(release.variants, name, engine.engine, f"teacher {document}")
    files = blobs_of(variant, document.parent)
    runs = EngineSettings(
        engine.engine, "bf16" if variant.precision == "bf16" else "f32", engine.threads
    )
    session = load(files, variant.main, runs)
    _, reader = recognise(session.outputs, len(release.labels), variant.main)
    return GraphTeacher(
        names_of(spec, release.labels),
        release.task,
        digest_of(files),
        session,
        partial(_prepared, release.input),
        reader,
        spec.min_score,
    )


def _prepared(spec: InputSpec, picture: Pixels) -> Prepared:
    pixels, place = preprocess(picture, spec)
    return Prepared(np.ascontiguousarray(pixels[None]), place, (spec.width, spec.height))


def choose_variant(
    variants: Sequence[Variant], name: str | None, engine: str | None, where: str
) -> Variant:
    """The variant called `name`, or the most precise one; of `engine`, where one is asked for.

    Raises `InputError`, with what there is in `where`, when none fits.
    """
    fitting = [
        variant
        for variant in variants
        if engine in {None, variant.engine} and name in {None, variant.name}
    ]
    if not fitting:
        offered = ", ".join(f"{v.name} ({v.engine} {v.precision})" for v in variants)
        asked = f"variant {name}" if name else "variant"
        wanted = f" for {engine}" if engine else ""
        raise InputError(f"{where} has no {asked}{wanted}; it has {offered or 'none at all'}")
    return min(fitting, key=lambda variant: _BEST_FIRST.index(variant.precision))


def blobs_of(variant: Variant, folder: Path) -> dict[str, bytes]:
    """The files of a variant by name, from the `blobs/` of the release in `folder`.

    Raises `TrustError` when one is not what the release says.
    """
    blobs = folder / "blobs"
    return {name: _blob(blobs / ref.sha256, ref.sha256) for name, ref in variant.files.items()}


def _blob(path: Path, sha256: str) -> bytes:
    content = read_bytes(path, MAX_MODEL_BYTES, "release file")
    if hashlib.sha256(content).hexdigest() != sha256:
        raise TrustError(f"release file {path} was changed: its SHA-256 is not its name")
    return content
