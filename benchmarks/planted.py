"""Real snapshots with known faults in them: what `data_check` looks for, and what is where.

A `Plot` is a list of pictures that faults are planted into before it is written as a snapshot.
Each fault names the pictures that it is in, and the place of the label where it is in one.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgefactory.datasets import (
    CLIP_SHA256,
    Item,
    Label,
    fetch_clip,
    read_truth,
    shipped_truth,
)
from edgefactory.datasets.carrying import write_snapshot
from edgefactory.datasets.checks import Finding, Kind
from edgefactory.datasets.documents import Box, Header, Split, Task
from edgefactory.datasets.overlap import largest_iou
from edgefactory.datasets.snapshot import human_labels
from edgefactory.datasets.video import read_frames

Pixels = NDArray[np.uint8]
Random = np.random.Generator

QUALITY = 92  # of the JPEG files


@dataclass(frozen=True)
class Picture:
    """One picture before it is an item of a snapshot."""

    content: bytes
    source: str
    frame: int | None
    at: float
    split: Split
    labels: tuple[Label, ...]

    @property
    def id(self) -> str:
        """Of the item that it becomes."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def pixels(self) -> Pixels:
        """Decoded, uint8 [H,W,3]."""
        return np.asarray(Image.open(io.BytesIO(self.content)).convert("RGB"))


@dataclass(frozen=True)
class Fault:
    """What is wrong: with these pictures; in one of them with the label at this place, or at this
    box, which is where a thing is that is not labelled there."""

    kind: Kind
    pictures: frozenset[int]
    label: int | None = None
    box: Box | None = None

    @property
    def is_box(self) -> bool:
        """Whether it is about a box."""
        return self.box is not None


@dataclass
class Plot:
    """Pictures and the faults planted so far; a picture gets one fault at most, except boxes."""

    task: Task
    classes: tuple[str, ...]
    pictures: list[Picture]
    faults: list[Fault] = field(default_factory=list)

    def write(self, out: Path) -> None:
        """Write it as a snapshot."""
        contents = {picture.id: picture.content for picture in self.pictures}
        if len(contents) != len(self.pictures):
            raise ValueError("two planted pictures are the same file")
        header = Header("planted", self.task, self.classes, "human")
        write_snapshot(out, header, map(as_item, self.pictures), lambda item: contents[item.id])

    def untouched(self) -> list[int]:
        """The pictures that no fault is about."""
        taken = {index for fault in self.faults for index in fault.pictures}
        return [index for index in range(len(self.pictures)) if index not in taken]

    def add(self, picture: Picture) -> int:
        """Append a picture; its place."""
        self.pictures.append(picture)
        return len(self.pictures) - 1

    def change(self, index: int, pixels: Pixels) -> None:
        """Give a picture other pixels."""
        self.pictures[index] = replace(self.pictures[index], content=jpeg(pixels))


def as_item(picture: Picture) -> Item:
    with Image.open(io.BytesIO(picture.content)) as image:
        width, height = image.size
    kind = "png" if picture.content.startswith(b"\x89PNG") else "jpg"
    return Item(
        picture.id,
        f"images/{picture.id}.{kind}",
        width,
        height,
        picture.source,
        picture.frame,
        picture.at,
        picture.split,
        picture.labels,
    )


def jpeg(pixels: Pixels, quality: int = QUALITY) -> bytes:
    """The JPEG file of an RGB picture."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


@cache
def _digits() -> tuple[Picture, ...]:
    """scikit-learn's 1,797 handwritten digits, 8x8 enlarged to 32x32, in order of the writers."""
    from sklearn.datasets import load_digits

    originals, classes = load_digits(return_X_y=True)
    found = []
    for index, (digit, class_) in enumerate(zip(originals, classes, strict=True)):
        grey = Image.fromarray(np.round(digit.reshape(8, 8) * (255 / 16)).astype(np.uint8))
        large = np.asarray(grey.resize((32, 32), Image.Resampling.BICUBIC))
        label = Label(str(class_), None, "human:nist", 1.0, "reviewed")
        content = jpeg(np.repeat(large[:, :, None], 3, axis=2))
        split = _split(index, len(classes))
        if split:
            found.append(Picture(content, "digits", index, float(index), split, (label,)))
    return tuple(found)


@cache
def _frames(step: int, first: int = 0) -> tuple[Picture, ...]:
    """Every `step`-th frame of the clip `vtest.avi`, with people's labels where there are some."""
    clip = fetch_clip()
    path = shipped_truth(CLIP_SHA256)
    assert path is not None
    labels = human_labels(read_truth(path))
    found = []
    for frame in read_frames(clip, frozenset(range(first, 795, step))):
        split = _split(frame.index, 795)
        if split:
            content = jpeg(frame.pixels)
            told = labels.get(frame.index, ())
            found.append(Picture(content, "vtest", frame.index, frame.seconds, split, told))
    return tuple(found)


def _split(index: int, count: int) -> Split | None:
    """By time, with a gap of 2% before validation and before test."""
    share = index / count
    parts: tuple[tuple[float, float, Split], ...] = (
        (0.0, 0.6, "train"),
        (0.62, 0.7, "val"),
        (0.72, 1.0, "test"),
    )
    return next((split for low, high, split in parts if low <= share < high), None)


def digits() -> Plot:
    """The digits, nothing planted yet."""
    return Plot("classification", tuple("0123456789"), list(_digits()))


def frames(step: int) -> Plot:
    """Every `step`-th frame of the clip without labels, nothing planted yet."""
    told = [replace(picture, labels=()) for picture in _frames(step)]
    return Plot("detection", ("person",), told)


def labelled_frames() -> Plot:
    """The frames of the clip that people labelled, nothing planted yet."""
    told = [picture for picture in _frames(5, 565 % 5) if picture.labels]
    return Plot("detection", ("person",), told)


@dataclass
class Score:
    """Finds and faults of one kind, over all rounds."""

    right: int = 0
    wrong: int = 0
    planted: int = 0
    found: int = 0

    @property
    def precision(self) -> float:
        """Share of the finds that are right; 1 where nothing was found."""
        return self.right / max(self.right + self.wrong, 1) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        """Share of the planted faults that were found."""
        return self.found / max(self.planted, 1)


def judge(plot: Plot, findings: Iterable[Finding], scores: dict[Kind, Score]) -> None:
    """Count finds and faults into `scores`.

    A find is right when it is about a fault of its kind. A find about a box that is faulty in
    another way, such as an odd box that the teacher does not see either, is neither right nor
    wrong.
    """
    place = {picture.id: index for index, picture in enumerate(plot.pictures)}
    for fault in plot.faults:
        scores.setdefault(fault.kind, Score()).planted += 1
    seen: set[int] = set()
    for finding in findings:
        pictures = frozenset(place[item] for item in finding.items)
        about = [
            number for number, fault in enumerate(plot.faults) if _about(fault, pictures, finding)
        ]
        own = [number for number in about if plot.faults[number].kind == finding.kind]
        score = scores.setdefault(finding.kind, Score())
        score.right += bool(own)
        score.wrong += not own and not any(plot.faults[number].is_box for number in about)
        score.found += len(set(own) - seen)
        seen.update(own)


def _about(fault: Fault, pictures: frozenset[int], finding: Finding) -> bool:
    if fault.box is None:
        return fault.pictures == pictures
    if not fault.pictures & pictures:
        return False
    if finding.label is not None and finding.label == fault.label:
        return True
    return finding.box is not None and overlap(fault.box, finding.box) >= 0.3


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    return largest_iou(one, [other])
