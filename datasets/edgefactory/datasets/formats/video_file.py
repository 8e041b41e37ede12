"""A video becomes a snapshot: frames chosen by `sampling`, without labels, all in train."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from edgefactory.datasets.carrying import write_snapshot
from edgefactory.datasets.documents import Header, Item, Progress
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.formats.foreign import ImportSettings, chosen_classes
from edgefactory.datasets.formats.importing import Imported
from edgefactory.datasets.formats.names import data_set_name
from edgefactory.datasets.ingest import jpeg
from edgefactory.datasets.sampling import SamplingSettings, sample
from edgefactory.datasets.video import Frame


def import_video(
    path: Path,
    out: Path,
    settings: ImportSettings,
    sampling: SamplingSettings,
    progress: Progress | None = None,
) -> Imported:
    """Write the snapshot `out` of a video's sampled frames, as JPEG of quality 95.

    Frames that are equal to an earlier one are left out and counted. Errors as `video.examine`;
    `InputError` when no frame was chosen.
    """
    report = progress or (lambda _done, _total, _text: None)
    classes = chosen_classes((), settings, str(path))
    header = Header(data_set_name(settings.name or path.stem), settings.task, classes, "imported")
    content: dict[str, bytes] = {}
    seen: set[str] = set()
    counts: Counter[str] = Counter()

    def items() -> Iterator[Item]:
        for done, frame in enumerate(sample(path, sampling), start=1):
            report(done, 0, f"{done} frames")
            picture = jpeg(frame.pixels)
            item = _item(path, frame, picture)
            if item.id in seen:
                counts["frames equal to an earlier one left out"] += 1
                continue
            seen.add(item.id)
            content[item.id] = picture
            yield item
        if not seen:
            raise InputError(f"video {path}: no frame was chosen; sample more densely")

    digest = write_snapshot(out, header, items(), lambda item: content.pop(item.id))
    return Imported(digest, header, len(seen), counts)


def _item(path: Path, frame: Frame, picture: bytes) -> Item:
    digest = hashlib.sha256(picture).hexdigest()
    height, width = frame.pixels.shape[:2]
    return Item(
        id=digest,
        file=f"images/{digest}.jpg",
        width=width,
        height=height,
        source=data_set_name(path.name),
        frame=frame.index,
        captured_at=round(frame.seconds, 6),
        split="train",
        labels=(),
    )
