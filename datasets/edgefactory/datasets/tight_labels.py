"""A teacher's boxes in a snapshot, drawn tight against the background of each still source.

What people drew stays, and so does the test split: it is judged as its labels are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from msgspec.structs import replace

from edgefactory.datasets.carrying import pictures_of, write_snapshot
from edgefactory.datasets.documents import Item, Label, Progress
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.manifest import read_header, stream_items
from edgefactory.datasets.snapshot import load_picture
from edgefactory.datasets.statements import without_broken_bounds
from edgefactory.datasets.tightening import PICTURES, Pixels, background, tightened

_FEWEST: Final = 5  # pictures of a source, for a background that nobody stands in


def tighten(folder: Path, out: Path, progress: Progress | None = None) -> int:
    """Write the snapshot in `folder` with tight boxes to `out`; gives how many were changed.

    A source with few pictures, or of several sizes, stays as it is. A label that changes loses the
    bound on its error. Raises `InputError` for a snapshot of whole pictures' classes, and as
    `write_snapshot`.
    """
    header = read_header(folder)
    if header.task != "detection":
        raise InputError(f"{folder} is a snapshot for {header.task}; only boxes can be tightened")
    behind = _backgrounds(folder, list(stream_items(folder)))
    changed = done = 0

    def items() -> Iterator[Item]:
        nonlocal changed, done
        changed = done = 0
        for item in stream_items(folder):
            done += 1
            if progress:
                progress(done, 0, "tightening boxes")
            scene = behind.get(item.source)
            if scene is None or item.split == "test" or not any(_teachers(m) for m in item.labels):
                yield item
                continue
            labels = _tight(load_picture(folder, item), scene, item.labels)
            changed += sum(a is not b for a, b in zip(labels, item.labels, strict=True))
            yield replace(item, labels=labels)

    kept, made = without_broken_bounds(header, items)
    write_snapshot(out, kept, made(), pictures_of(folder))
    return changed


def _teachers(label: Label) -> bool:
    return label.box is not None and label.origin.startswith("teacher:")


def _tight(pixels: Pixels, behind: Pixels, labels: Sequence[Label]) -> tuple[Label, ...]:
    """The labels of a picture; those that do not change are the same objects."""
    made = []
    for label in labels:
        if not _teachers(label):
            made.append(label)
            continue
        (box,) = tightened(pixels, behind, np.array([label.box], np.float32)).tolist()
        new = (box[0], box[1], box[2], box[3])
        made.append(label if new == label.box else replace(label, box=new, bound=None))
    return tuple(made)


def _backgrounds(folder: Path, items: Sequence[Item]) -> dict[str, Pixels]:
    """The median picture of each source, from pictures that are not of the test split."""
    sources: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        if item.split != "test":
            sources[item.source].append(item)
    found = {}
    for source, its in sources.items():
        if len(its) < _FEWEST or len({(item.width, item.height) for item in its}) != 1:
            continue
        count = min(PICTURES, len(its))
        chosen = [its[i * len(its) // count] for i in range(count)]
        found[source] = background([load_picture(folder, item) for item in chosen])
    return found
