"""Which split a frame of a clip goes into, where people have annotated the clip's last part.

The annotated frames test. What lies before them trains, and the last tenth of that validates; a
fiftieth of the clip before either cut, and what people left out after the first frame that they
annotated, is in no split.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgefactory.datasets.documents import Label, Split
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.files import file_sha256
from edgefactory.datasets.ingest import truth_for
from edgefactory.datasets.snapshot import human_labels

_VAL_SHARE: Final = 0.1
_GAP_SHARE: Final = 0.02


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What people said of a clip, by frame, and the frames at which train, val and test part."""

    sha256: str  # of the truth file
    classes: tuple[str, ...]
    labels: Mapping[int, tuple[Label, ...]]
    train_end: int
    val_start: int
    val_end: int

    def split_of(self, frame: int) -> Split | None:
        """The split of a frame; None for one that is in none."""
        if frame in self.labels:
            return "test"
        if frame < self.train_end:
            return "train"
        return "val" if self.val_start <= frame < self.val_end else None


def held_out(truth: Path, clip: Path) -> HeldOut:
    """The truth file's frames, as the held-out part of the video at `clip`.

    Raises `MissingError` when one of the files is not there; `InputError` when the truth is about
    another clip, annotates no frame, or leaves nothing before its first one to learn from.
    """
    found = truth_for(truth, file_sha256(clip, "video"))
    assert found is not None  # a file was named
    document, sha256 = found
    labels = human_labels(document)
    first = min(labels, default=0)
    gap = math.ceil(document.clip.frames * _GAP_SHARE)
    val_start = math.floor((first - gap) * (1 - _VAL_SHARE))
    if val_start - gap < 1:
        raise InputError(
            f"truth {truth}: no frames to learn from before the first annotated one ({first}); "
            "annotate the last part of the clip only"
        )
    return HeldOut(sha256, document.classes, labels, val_start - gap, val_start, first - gap)
