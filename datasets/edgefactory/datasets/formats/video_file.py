"""A video becomes a snapshot: frames chosen by `sampling`, without labels, all in train.

With human truth about its last part, the annotated frames test, and earlier ones train.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from edgefactory.datasets.carrying import write_snapshot
from edgefactory.datasets.documents import Header, Item, Progress
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.formats.foreign import ImportSettings, chosen_classes
from edgefactory.datasets.formats.held_out import HeldOut, held_out
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
    truth: Path | None = None,
) -> Imported:
    """Write the snapshot `out` of a video's sampled frames, as JPEG of quality 95.

    Frames that are equal to an earlier one are left out and counted. With a `truth` file, the
    frames that it names are kept and labelled too, and `held_out` says what each frame is for.
    Errors as `video.examine` and `held_out`; `InputError` when no frame was chosen, or the video
    lacks one that the truth names.
    """
    report = progress or (lambda _done, _total, _text: None)
    known = held_out(truth, path) if truth else None
    header = _header(path, settings, known)
    content: dict[str, bytes] = {}
    seen: set[str] = set()
    counts: Counter[str] = Counter()

    def items() -> Iterator[Item]:
        for done, frame in enumerate(_sampled(path, sampling, known), start=1):
            report(done, 0, f"{done} frames")
            picture = jpeg(frame.pixels)
            item = _item(path, frame, picture, known)
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


def _header(path: Path, settings: ImportSettings, known: HeldOut | None) -> Header:
    name = data_set_name(settings.name or path.stem)
    if known is None:
        return Header(name, settings.task, chosen_classes((), settings, str(path)), "imported")
    if settings.task != "detection":
        raise InputError(f"a truth holds boxes: it does not fit the task {settings.task}")
    classes = chosen_classes(known.classes, settings, str(path))
    return Header(name, settings.task, classes, "human", known.sha256)


def _sampled(path: Path, sampling: SamplingSettings, known: HeldOut | None) -> Iterator[Frame]:
    if known is None:
        yield from sample(path, sampling)
        return
    lacking = set(known.labels)
    for frame in sample(path, sampling, frozenset(known.labels)):
        lacking.discard(frame.index)
        if known.split_of(frame.index) is not None:
            yield frame
    if lacking:
        raise InputError(f"video {path} has no frame {min(lacking)}, which its truth names")


def _item(path: Path, frame: Frame, picture: bytes, known: HeldOut | None) -> Item:
    digest = hashlib.sha256(picture).hexdigest()
    height, width = frame.pixels.shape[:2]
    split = known.split_of(frame.index) if known else "train"
    assert split is not None  # `_sampled` leaves such frames out
    said = known.labels if known else {}
    return Item(
        id=digest,
        file=f"images/{digest}.jpg",
        width=width,
        height=height,
        source=data_set_name(path.name),
        frame=frame.index,
        captured_at=round(frame.seconds, 6),
        split=split,
        labels=said.get(frame.index, ()),
        reviewed=frame.index in said,
    )
