"""Stage 2: footage gets its labels, from the teacher or from the source itself.

Each label keeps who made it and how sure it was. Boxes of the train part are drawn tight against
the scene's own background (`tightening`); those of a held-out part stay as the teacher drew them.
What is not sure enough to be accepted is queued for a person, what is less than that is dropped.
An interrupted run goes on where it stopped: every finished picture is appended to a journal in
the scratch folder.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge_runtime.contract.codec import encode
from edgefactory.datasets.documents import (
    Footage,
    FrameLabels,
    Label,
    Labels,
    Picture,
    Progress,
    read_footage,
)
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.files import (
    file_sha256,
    fresh_folder,
    read_bytes,
    write_file,
)
from edgefactory.datasets.journal import Journal, journal_path
from edgefactory.datasets.pictures import MAX_PICTURE_BYTES, damage
from edgefactory.datasets.teacher import (
    Detections,
    Engine,
    Precision,
    Teacher,
    TeacherSettings,
    TiledTeacher,
    native_precision,
)
from edgefactory.datasets.tightening import PICTURES, background, tightened


@dataclass(frozen=True, slots=True)
class LabelSettings:
    """The teacher, how it runs, and from which scores its boxes count."""

    teacher: Path | None = None  # ONNX file; footage that knows its classes needs none
    engine: Engine = "openvino"
    precision: Literal["auto", "f32", "bf16"] = "auto"  # auto: bf16 where the CPU has it
    threads: int = 2
    accept: float = 0.4  # 0..1, boxes from this score on are accepted
    queue: float = 0.2  # 0..1, from this score on they are queued for review; below: dropped
    tile: float = 0.5  # this and the next two as in TeacherSettings
    stride: float = 0.5
    tighten: bool = True  # boxes of the train part, against the scene's background
    whole: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.queue <= self.accept <= 1:
            raise InputError("label: expected 0 < queue <= accept <= 1")


def label(
    settings: LabelSettings,
    footage: Path,
    out: Path,
    scratch: Path,
    progress: Progress | None = None,
) -> Labels:
    """Label the pictures of the folder `footage` and write `labels.json` into the folder `out`.

    With human truth on the held-out part only the train part is labelled. Errors: `MissingError`
    (footage, teacher or engine is not there), `InputError` (one of them is not what it must be),
    `StorageError` (`out` or `scratch` cannot be written).
    """
    source = read_footage(footage)
    if source.task == "classification":
        labels = _imported(source)
    else:
        labels = _taught(settings, source, footage, scratch, progress)
    with fresh_folder(out, "labels.json") as work:
        write_file(work / "labels.json", encode(labels))
    return labels


def _imported(source: Footage) -> Labels:
    """The classes that the source itself names, one label a picture."""
    origin = f"imported:{source.name}"
    frames = []
    for picture in source.pictures:
        if picture.label not in source.classes:
            raise InputError(f"footage: frame {picture.frame} has the class {picture.label!r}")
        found = Label(picture.label, None, origin, 1.0, "accepted")
        frames.append(FrameLabels(picture.frame, (found,)))
    return Labels("labels/1", source.source_sha256, None, {}, tuple(frames))


def _taught(
    settings: LabelSettings,
    source: Footage,
    folder: Path,
    scratch: Path,
    progress: Progress | None,
) -> Labels:
    if settings.teacher is None:
        raise InputError("label: footage of task detection needs a teacher (an ONNX file)")
    report = progress or (lambda _done, _total, _text: None)
    looks = _teacher_settings(settings)
    digest = file_sha256(settings.teacher, "teacher")
    parameters = _parameters(settings, looks)
    wanted = [p for p in source.pictures if source.truth_sha256 is None or p.part == "train"]
    key = [digest, source.source_sha256, parameters]
    journal = Journal(journal_path(scratch, "labels", key), FrameLabels)
    done = {entry.frame: entry for entry in journal.read()}
    label_one: Callable[[Picture], Detections] | None = None
    for count, picture in enumerate(wanted, start=1):
        if picture.frame not in done:
            label_one = label_one or _labeller(settings, looks, source, folder)
            found = label_one(picture)
            done[picture.frame] = judged(picture.frame, found, f"teacher:{digest}", settings)
            journal.append([done[picture.frame]])
        report(count, len(wanted), f"frame {picture.frame}")
    frames = tuple(done[picture.frame] for picture in wanted)
    return Labels("labels/1", source.source_sha256, digest, parameters, frames)


def _labeller(
    settings: LabelSettings, looks: TeacherSettings, source: Footage, folder: Path
) -> Callable[[Picture], Detections]:
    """What labels one picture: the teacher, and tightening where it is asked for."""
    assert settings.teacher is not None
    teacher: Teacher = TiledTeacher(settings.teacher, looks)
    learned = [picture for picture in source.pictures if picture.part == "train"]
    if not settings.tighten or not learned:
        return lambda picture: teacher.predict(read_picture(folder, picture))
    chosen = learned[:: -(-len(learned) // PICTURES)]
    behind = background([read_picture(folder, picture) for picture in chosen])

    def label_one(picture: Picture) -> Detections:
        pixels = read_picture(folder, picture)
        found = teacher.predict(pixels)
        if picture.part != "train":
            return found
        return Detections(tightened(pixels, behind, found.boxes), found.scores)

    return label_one


def judged(frame: int, found: Detections, origin: str, settings: LabelSettings) -> FrameLabels:
    """What becomes of a teacher's detections: accepted, queued, or dropped, by their score."""
    labels = []
    for corners, score in zip(found.boxes.tolist(), found.scores.tolist(), strict=True):
        if score < settings.queue:
            continue
        x0, y0, x1, y1 = (round(value, 2) for value in corners)
        state: Literal["accepted", "queued"] = "accepted" if score >= settings.accept else "queued"
        if x0 < x1 and y0 < y1:
            labels.append(Label("person", (x0, y0, x1, y1), origin, round(score, 4), state))
    return FrameLabels(frame, tuple(labels))


def read_picture(folder: Path, picture: Picture) -> NDArray[np.uint8]:
    """The pixels of a picture of the footage in `folder`: uint8 [H,W,3] RGB."""
    path = folder / picture.file
    return decode_picture(read_bytes(path, MAX_PICTURE_BYTES, "picture"), path)


def decode_picture(content: bytes, path: Path) -> NDArray[np.uint8]:
    """Decode an image file's bytes to uint8 [H,W,3] RGB; `path` is for the message."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as image:
            return np.asarray(image.convert("RGB"))
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        why = damage(error)
        raise InputError(f"picture {path} is no JPEG or PNG that decodes: {why}") from error


def _teacher_settings(settings: LabelSettings) -> TeacherSettings:
    precision: Precision
    if settings.precision == "auto":
        precision = native_precision() if settings.engine == "openvino" else "f32"
    else:
        precision = settings.precision
    return TeacherSettings(
        engine=settings.engine,
        precision=precision,
        threads=settings.threads,
        tile=settings.tile,
        stride=settings.stride,
        whole=settings.whole,
        min_score=settings.queue,
    )


def _parameters(
    settings: LabelSettings, looks: TeacherSettings
) -> dict[str, str | int | float | bool]:
    """Everything that decides about the labels; the number of threads does not."""
    chosen = {key: value for key, value in asdict(looks).items() if key != "threads"}
    judged_by = {"accept": settings.accept, "queue": settings.queue, "tighten": settings.tighten}
    return {**chosen, **judged_by}
