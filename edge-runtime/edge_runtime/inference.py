"""Models in this process, for Python: the same release, input and decisions as `edge-runtime run`.

from edge_runtime import Runtime
Runtime().infer("lobby.jpg")
"""

import functools
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from msgspec import UnsetType
from PIL import Image

from edge_runtime import durable, proof
from edge_runtime.contract import FileRef, InputSpec, Release, decide, digest, preprocess, read
from edge_runtime.engines import UInt8
from edge_runtime.errors import ContractError, MissingError, RefusedError
from edge_runtime.given import Float32, sequence_picture, shown, stretches
from edge_runtime.hardware import hardware_classes
from edge_runtime.hosting import Host, Loaded, load_active
from edge_runtime.result import Result, named
from edge_runtime.running import Active, active
from edge_runtime.state import State, default_folder
from edge_runtime.store import Contents, Slot, load_journal

Picture = Path | str | bytes | Image.Image | UInt8 | Float32
"""A path, the bytes of a file, a Pillow image, or uint8 [H,W,3] RGB. A file is a JPEG or PNG; for a
model of sequences also a WAV or `.npy` file, or as an array samples f32 [S] or features f32 [T,F]
of one picture's length at most."""

MAX_FILE_BYTES = 64 * 1024 * 1024


class Runtime:
    """The models that are active at a site, each loaded and self-tested when it is first asked for.

    Several threads may ask at once. A release that becomes active later needs a new `Runtime`.
    """

    def __init__(self, state: Path | str | None = None, threads: int = 1) -> None:
        """`state` is the site's state folder (None: $XDG_STATE_HOME/edge-runtime)."""
        where = State(Path(state) if state is not None else default_folder())

        def names() -> tuple[str, ...]:
            where.site()  # says so when it is not enrolled
            models = load_journal(where.journal).models
            return tuple(sorted(name for name, slots in models.items() if slots.active))

        self._names = names
        self._load: Callable[[str], Loaded] = lambda name: load_active(
            where, active(where, name), threads
        )
        self._host, self._lock = Host(), threading.Lock()

    @classmethod
    def from_release(cls, folder: Path | str, threads: int = 1) -> Self:
        """The model of a release folder that nobody has published: `release.json` and `blobs/`.

        Its files are verified by their digests, but **no signature stands for it**: it is for
        trying out what you made yourself. The fastest variant that passes the self-test here runs.
        Raises MissingError, ContractError, or RefusedError when no variant may run.
        """
        release = read(Path(folder) / "release.json", Release)
        made = cls(folder, threads)
        made._names = lambda: (release.name,)
        made._load = lambda _: _proven(Path(folder), release, threads)
        made._loaded(release.name)
        return made

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the models that can be asked. Raises MissingError, StorageError."""
        return self._names()

    def infer(self, image: Picture, model: str | None = None) -> Result:
        """What `model` (None: the only one) decides about `image`, from its operating point up.

        Raises InputError when it is no picture; MissingError, StorageError or RefusedError when
        the model cannot run.
        """
        loaded = self._asked(model)
        return _decided(loaded, picture_of(image, loaded.active.release.input))

    def stretches(self, file: Path | str | bytes, model: str | None = None) -> tuple[Result, ...]:
        """What `model` decides about a recording, of any length: a result a picture's length.

        Each says at which second it begins; the last one is filled up as the model knows it. Of a
        picture there is one. Errors as `infer`.
        """
        loaded = self._asked(model)
        data, source = _read(file)
        cut = stretches(data, loaded.active.release.input, source)
        found = (replace(_decided(loaded, picture), seconds=start) for start, picture in cut)
        return tuple(found)

    def _asked(self, model: str | None) -> Loaded:
        return self._loaded(self._only() if model is None else model)

    def _only(self) -> str:
        names = self._names()
        if len(names) == 1:
            return names[0]
        known = ", ".join(names) or "none; `edge-runtime once --model NAME` gets one"
        raise MissingError(f"say which model (active: {known})")

    def _loaded(self, name: str) -> Loaded:
        with self._lock:
            if name not in self._host.names():
                self._host.put(name, self._load(name))
            return self._host.get(name)


def infer(image: Picture, model: str | None = None) -> Result:
    """`Runtime().infer(image, model)`, with one `Runtime` for as long as the process lives."""
    return _default().infer(image, model)


@functools.cache
def _default() -> Runtime:
    return Runtime()


def picture_of(image: Picture, spec: InputSpec) -> UInt8:
    """`image` as the picture that a model is shown, uint8 [H,W,3] RGB. Raises InputError,
    MissingError."""
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


def _proven(folder: Path, release: Release, threads: int) -> Loaded:
    """The fastest variant of an unpublished release that decides here as it should."""
    contents = Contents(folder / "blobs", folder / "partial")
    usable, refused = proof.candidates(release, hardware_classes())
    proven, failing = proof.prove(release, usable, contents, threads)
    if not proven:
        reasons = "; ".join(f"{name}: {why}" for name, why in {**refused, **failing}.items())
        raise RefusedError(f"no variant of {release.name} may run on this box: {reasons}")
    best, chosen = proven[0].candidate.variant, proven[0].candidate
    data = durable.read(folder / "release.json", 1 << 26, "a release")
    ref = FileRef(digest(data), len(data))
    slot = Slot(
        ref,
        release.version,
        release.sequence,
        best.name,
        best.engine,
        time.time(),
        provider=chosen.provider,
    )
    return Loaded(Active("", slot, release, best), proven[0].session)
