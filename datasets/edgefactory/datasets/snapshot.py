"""Stage 3: footage and labels become a snapshot, the fixed data set that training reads.

Splits are by time. The last share of the train part validates, after a short gap; the held-out
part tests. Where humans labelled held-out frames, the test split is exactly those frames with
their labels; otherwise it carries the teacher's labels, and the manifest says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgefactory.datasets.carrying import snapshot_folder
from edgefactory.datasets.documents import (
    Footage,
    Item,
    Label,
    Labeller,
    Picture,
    Snapshot,
    Split,
    Truth,
    read_footage,
    read_labels,
)
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.files import read_bytes, write_file
from edgefactory.datasets.ingest import truth_for
from edgefactory.datasets.labelling import decode_picture
from edgefactory.datasets.manifest import header_of, read_manifest, write_manifest
from edgefactory.datasets.pictures import MAX_PICTURE_BYTES


@dataclass(frozen=True, slots=True)
class SnapshotSettings:
    """The snapshot's name, how much of the train part validates, and whose truth tests."""

    name: str = "cctv"
    val_share: float = 0.1  # of the train part, at its end
    val_gap_share: float = 0.01  # of the train part, unused before it
    truth: Path | None = None  # None: the truth that is shipped for this very clip, if any

    def __post_init__(self) -> None:
        if not (self.val_share > 0 and self.val_gap_share >= 0):
            raise InputError("snapshot: val_share must be above 0 and val_gap_share not below")
        if self.val_share + self.val_gap_share >= 1:
            raise InputError("snapshot: val_share and val_gap_share leave nothing to train on")


def build_snapshot(settings: SnapshotSettings, footage: Path, labels: Path, out: Path) -> Snapshot:
    """Write `manifest.jsonl` and `images/<sha256>.jpg` into the folder `out`.

    `footage` and `labels` are the folders of the stages before. Identical pictures are kept
    once, the test split first. Raises `InputError` when they do not belong together or a split
    would be empty, `StorageError` when `out` cannot be written.
    """
    source, found = read_footage(footage), read_labels(labels)
    if found.source_sha256 != source.source_sha256:
        raise InputError(f"{labels} were made for other footage than {footage}: label it again")
    truth = truth_for(settings.truth, source.source_sha256) if source.truth_sha256 else None
    if source.truth_sha256 != (truth[1] if truth else None):
        raise InputError(f"{footage} was ingested with another truth file: ingest it again")
    by_frame: Mapping[int, tuple[Label, ...]] = {f.frame: f.labels for f in found.frames}
    human = human_labels(truth[0]) if truth else {}
    with snapshot_folder(out) as work:
        items: dict[str, Item] = {}
        for picture in reversed(source.pictures):
            split = split_of(picture, source, settings)
            if split is None or (split == "test" and truth and picture.frame not in human):
                continue
            chosen = human if split == "test" and truth else by_frame
            if picture.frame not in chosen:
                raise InputError(f"{labels} hold no labels of frame {picture.frame}: label again")
            content = read_bytes(footage / picture.file, MAX_PICTURE_BYTES, "picture")
            said = chosen[picture.frame]
            item = _item(source, picture, content, split, said, chosen is human)
            items.setdefault(item.id, item)
            write_file(work / item.file, content)
        snapshot = Snapshot(
            name=settings.name,
            task=source.task,
            classes=source.classes,
            test_labels=_who(source, truth is not None),
            truth_sha256=source.truth_sha256,
            items=tuple(reversed(items.values())),
        )
        require_splits(snapshot, ("train", "val", "test"), str(out))
        write_manifest(work, header_of(snapshot), snapshot.items)
    return snapshot


def human_labels(truth: Truth) -> dict[int, tuple[Label, ...]]:
    """The truth's boxes as reviewed labels, by frame."""
    origin = "human:" + "+".join(truth.annotators)
    return {
        entry.frame: tuple(
            Label(box.class_, box.box, origin, 1.0, "reviewed", box.ignore) for box in entry.boxes
        )
        for entry in truth.frames
    }


def split_of(picture: Picture, source: Footage, settings: SnapshotSettings) -> Split | None:
    """The split of a picture by its time; None for the gap before validation."""
    if picture.part == "held_out":
        return "test"
    val_start = source.train_end * (1 - settings.val_share)
    if picture.frame >= val_start:
        return "val"
    return (
        "train" if picture.frame < val_start - source.train_end * settings.val_gap_share else None
    )


def _who(source: Footage, human: bool) -> Labeller:
    if source.task == "classification":
        return "imported"
    return "human" if human else "teacher"


def _item(
    source: Footage,
    picture: Picture,
    content: bytes,
    split: Split,
    labels: tuple[Label, ...],
    reviewed: bool,
) -> Item:
    digest = hashlib.sha256(content).hexdigest()
    return Item(
        id=digest,
        file=f"images/{digest}.jpg",
        width=source.width,
        height=source.height,
        source=picture.group or source.name,
        frame=picture.frame,
        captured_at=picture.seconds,
        split=split,
        labels=labels,
        reviewed=reviewed,
    )


def read_snapshot(folder: Path) -> Snapshot:
    """Parse and check the snapshot in `folder`; the pictures' bytes are checked when loaded.

    Raises `MissingError` when it or one of its files is not there, `InputError` when it is not
    a valid snapshot.
    """
    snapshot = read_manifest(folder)
    for item in snapshot.items:
        if not (folder / item.file).is_file():
            raise MissingError(f"{folder / item.file} is not there; build the snapshot again")
    return snapshot


def require_splits(snapshot: Snapshot, splits: Iterable[Split], where: str) -> None:
    """Raise `InputError` when one of `splits` has no picture."""
    for split in splits:
        if not any(item.split == split for item in snapshot.items):
            raise InputError(
                f"{where}: the split {split} is empty; split it by `edgefactory data split`"
            )


def picture_bytes(folder: Path, item: Item) -> bytes:
    """The bytes of an item's image file. Raises `InputError` when they are not those it names."""
    path = folder / item.file
    content = read_bytes(path, MAX_PICTURE_BYTES, "picture")
    if hashlib.sha256(content).hexdigest() != item.id:
        raise InputError(f"{path} has other bytes than its name says; build the snapshot again")
    return content


def load_picture(folder: Path, item: Item) -> NDArray[np.uint8]:
    """The pixels of an item: uint8 [H,W,3] RGB. Raises `InputError` when the file's bytes are
    not those that the item names, or not a picture of its size."""
    path = folder / item.file
    pixels = decode_picture(picture_bytes(folder, item), path)
    if pixels.shape != (item.height, item.width, 3):
        raise InputError(f"{path} is {pixels.shape}, expected {item.height}x{item.width}")
    return pixels
