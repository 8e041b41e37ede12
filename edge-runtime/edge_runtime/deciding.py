"""A picture, in whatever form it is given, and what a loaded model decides about it."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import UnsetType
from PIL import Image

from edge_runtime import durable
from edge_runtime.contract import InputSpec, decide, preprocess
from edge_runtime.engines import UInt8
from edge_runtime.errors import ContractError, RefusedError
from edge_runtime.given import Float32, sequence_picture, shown, stretches
from edge_runtime.hosting import Loaded
from edge_runtime.result import Result, named

Picture = Path | str | bytes | Image.Image | UInt8 | Float32
"""A path, the bytes of a file, a Pillow image, or uint8 [H,W,3] RGB. A file is a JPEG or PNG; for a
model of sequences also a WAV or `.npy` file, or as an array samples f32 [S] or features f32 [T,F]
of one picture's length at most."""

MAX_FILE_BYTES = 64 * 1024 * 1024


def decided(loaded: Loaded, image: Picture) -> Result:
    """What `loaded` decides about `image`. Raises InputError, MissingError, RefusedError."""
    return _decided(loaded, _picture_of(image, loaded.active.release.input))


def decided_by_stretch(loaded: Loaded, file: Path | str | bytes) -> tuple[Result, ...]:
    """The same for a recording: a result a picture's length."""
    data, source = _read(file)
    cut = stretches(data, loaded.active.release.input, source)
    return tuple(replace(_decided(loaded, picture), seconds=start) for start, picture in cut)


def _decided(loaded: Loaded, picture: UInt8) -> Result:
    release = loaded.active.release
    given, place = preprocess(picture, release.input)
    start = time.perf_counter()
    outputs = loaded.session.run(given[None])
    ms = (time.perf_counter() - start) * 1000
    try:
        found = decide(release.task, outputs, 0, release.operating_point.score_threshold)
    except ContractError as error:
        raise RefusedError(f"{release.name} {release.version}: {error}") from error
    decisions = named(release, found, place)
    embedding = None if isinstance(found.embedding, UnsetType) else found.embedding
    return Result(release.name, release.version, decisions, round(ms, 3), picture, embedding)


def _picture_of(image: Picture, spec: InputSpec) -> UInt8:
    """`image` as the picture that a model is shown, uint8 [H,W,3] RGB."""
    if isinstance(image, np.ndarray):
        return _pixels(image, spec)
    if isinstance(image, Image.Image):
        return np.asarray(image.convert("RGB"))
    data, source = _read(image)
    return shown(data, spec, source)


def _pixels(values: npt.NDArray[Any], spec: InputSpec) -> UInt8:
    if values.dtype.kind == "f" and not isinstance(spec.signal, UnsetType):
        return sequence_picture(values, spec.signal)
    return values  # `preprocess` looks at it


def _read(file: Path | str | bytes) -> tuple[bytes, str]:
    """The bytes of a file, and its name in errors."""
    if isinstance(file, bytes):
        return file, "the file"
    return durable.read(Path(file), MAX_FILE_BYTES, "a picture or recording"), str(file)
