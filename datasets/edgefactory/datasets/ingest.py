"""Stage 1: a source becomes footage, the pictures that later stages look at.

Pictures are split by time: the first part may be learned from, then a gap, then the part that
is held out. Only sampled frames are kept, as JPEG of quality 95 without chroma subsampling.
"""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from edge_runtime.contract.codec import encode
from edgefactory.datasets import video
from edgefactory.datasets.documents import (
    Footage,
    Picture,
    Progress,
    Truth,
    Voucher,
    read_truth,
    shipped_truth,
)
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.files import file_sha256, fresh_folder, write_file

DIGIT_SIDE: Final = 32  # pixels; the 8x8 originals are enlarged four times
VOUCHER_DIGITS: Final = 6
LINE_CLASSES: Final = ("person",)  # of footage that is a video
_MIN_FRAMES: Final = 10

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """Where footage comes from and which of its frames are kept."""

    source: Literal["video", "digits"] = "video"
    video: Path | None = None
    truth: Path | None = None  # None: the truth that is shipped for this very clip, if any
    train_share: float = 0.68  # of the frames, from the start
    gap_share: float = 0.024  # of the frames, after the train part
    step: int = 2  # every so many frames of the train part
    held_out_step: int = 5  # and of the held-out part, where no truth names the frames

    def __post_init__(self) -> None:
        if self.source not in ("video", "digits"):
            raise InputError(f"ingest source {self.source!r}: use video or digits")
        if (self.source == "video") != (self.video is not None):
            raise InputError("ingest: a video file belongs to source video, and to no other")
        if not (0 < self.train_share < 1 and 0 <= self.gap_share < 1 - self.train_share):
            raise InputError("ingest: train_share and gap_share must leave a held-out part")
        if self.step < 1 or self.held_out_step < 1:
            raise InputError("ingest: steps start at 1")


def ingest(settings: IngestSettings, out: Path, progress: Progress | None = None) -> Footage:
    """Write `footage.json` and `pictures/` into the folder `out` and return the former.

    Raises `MissingError` for a source that is not there, `InputError` for one that cannot be
    read, is empty, or too short, `StorageError` when `out` cannot be written.
    """
    report = progress or (lambda _done, _total, _text: None)
    with fresh_folder(out, "footage.json") as work:
        if settings.video is not None:
            footage = _ingest_video(settings, settings.video, work, report)
        else:
            footage = _ingest_digits(settings, work, report)
        write_file(work / "footage.json", encode(footage))
    return footage


def truth_for(truth: Path | None, clip_sha256: str) -> tuple[Truth, str] | None:
    """The truth about a clip and its file's digest: the given one, else the shipped one, if any.

    Raises `InputError` when the given file is about another clip.
    """
    path = truth or shipped_truth(clip_sha256)
    if path is None:
        return None
    found = read_truth(path)
    if found.clip.sha256 != clip_sha256:
        raise InputError(
            f"truth {path} is about the clip {found.clip.sha256[:12]}, found {clip_sha256[:12]}"
        )
    return found, file_sha256(path, "truth")


def parts(frames: int, settings: IngestSettings) -> tuple[int, int]:
    """Where the train part ends and the held-out part starts, of so many frames."""
    train_end = math.floor(frames * settings.train_share)
    held_out_start = math.ceil(frames * (settings.train_share + settings.gap_share))
    if frames < _MIN_FRAMES or train_end < 1 or held_out_start >= frames:
        raise InputError(f"{frames} frames are too few; at least {_MIN_FRAMES} are needed")
    return train_end, held_out_start


def _ingest_video(settings: IngestSettings, path: Path, work: Path, report: Progress) -> Footage:
    facts = video.examine(path)
    source = file_sha256(path, "video")
    truth = truth_for(settings.truth, source)
    train_end, held_out_start = parts(facts.frames, settings)
    train = range(0, train_end, settings.step)
    held_out: Iterable[int] = range(held_out_start, facts.frames, settings.held_out_step)
    if truth is not None:
        if truth[0].classes != LINE_CLASSES:
            raise InputError(
                f"truth of {path} names {', '.join(truth[0].classes)}; the line finds "
                f"{', '.join(LINE_CLASSES)}: use `edgefactory data import video --truth`"
            )
        held_out = [entry.frame for entry in truth[0].frames]
        if min(held_out, default=held_out_start) < held_out_start:
            raise InputError(f"truth names frames before {held_out_start}, where training may look")
    wanted = frozenset(train) | frozenset(held_out)
    pictures = []
    for frame in video.read_frames(path, wanted):
        file = f"pictures/{frame.index:06d}.jpg"
        write_file(work / file, jpeg(frame.pixels))
        part: Literal["train", "held_out"] = "train" if frame.index < train_end else "held_out"
        pictures.append(Picture(file, frame.index, round(frame.seconds, 6), part))
        report(len(pictures), len(wanted), f"frame {frame.index}")
    if len(pictures) != len(wanted):
        raise InputError(
            f"video {path}: {len(pictures)} of {len(wanted)} frames could be decoded; "
            "the file is damaged or cut off"
        )
    return Footage(
        schema="footage/1",
        name=path.name.encode("utf-8", "replace").decode()[-200:],
        task="detection",
        classes=LINE_CLASSES,
        source_sha256=source,
        frames=facts.frames,
        width=facts.width,
        height=facts.height,
        fps=facts.fps,
        train_end=train_end,
        held_out_start=held_out_start,
        truth_sha256=truth[1] if truth else None,
        pictures=tuple(pictures),
    )


def _ingest_digits(settings: IngestSettings, work: Path, report: Progress) -> Footage:
    """scikit-learn's 1,797 handwritten digits; the held-out ones stand in rows of six."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingError("scikit-learn is not installed: pip install scikit-learn") from error
    originals, classes = load_digits(return_X_y=True)
    total = len(classes)
    train_end, held_out_start = parts(total, settings)
    rows = (total - held_out_start) // VOUCHER_DIGITS
    kept = [*range(train_end), *range(held_out_start, held_out_start + rows * VOUCHER_DIGITS)]
    pixels = {i: _enlarged(originals[i].reshape(8, 8)) for i in kept}
    pictures = []
    for i in kept:
        file = f"pictures/{i:06d}.jpg"
        write_file(work / file, jpeg(pixels[i]))
        group = None
        if i >= held_out_start:
            group = f"voucher-{(i - held_out_start) // VOUCHER_DIGITS + 1:04d}"
        part: Literal["train", "held_out"] = "held_out" if group else "train"
        pictures.append(Picture(file, i, float(i), part, str(classes[i]), group))
        report(len(pictures), len(kept), f"digit {i}")
    return Footage(
        schema="footage/1",
        name="scikit-learn-digits",
        task="classification",
        classes=tuple("0123456789"),
        source_sha256=hashlib.sha256(originals.astype("<f8").tobytes()).hexdigest(),
        frames=total,
        width=DIGIT_SIDE,
        height=DIGIT_SIDE,
        fps=1.0,
        train_end=train_end,
        held_out_start=held_out_start,
        truth_sha256=None,
        pictures=tuple(pictures),
        vouchers=_vouchers(work, pictures, pixels.__getitem__),
    )


def _enlarged(digit: NDArray[np.float64]) -> Pixels:
    from PIL import Image

    grey = Image.fromarray(np.round(digit * (255 / 16)).astype(np.uint8))
    large = grey.resize((DIGIT_SIDE, DIGIT_SIDE), Image.Resampling.BICUBIC)
    return np.repeat(np.asarray(large)[:, :, None], 3, axis=2)


def _vouchers(
    work: Path, pictures: list[Picture], pixels: Callable[[int], Pixels]
) -> tuple[Voucher, ...]:
    """One strip picture a row; a JPEG's blocks are 8x8, so a digit decodes as it does alone."""
    groups: dict[str, list[Picture]] = {}
    for picture in pictures:
        if picture.group is not None:
            groups.setdefault(picture.group, []).append(picture)
    found = []
    for name, members in groups.items():
        file = f"vouchers/{name}.jpg"
        strip = np.concatenate([pixels(member.frame) for member in members], axis=1)
        write_file(work / file, jpeg(strip))
        digits = "".join(member.label or "" for member in members)
        found.append(Voucher(name, file, digits, tuple(member.frame for member in members)))
    return tuple(found)


def jpeg(pixels: Pixels) -> bytes:
    """The JPEG file of an RGB picture: quality 95, no chroma subsampling."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95, subsampling=0)
    return buffer.getvalue()
