"""What the checks need of a manifest, as arrays: some 150 bytes a picture instead of objects."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, get_args

import numpy as np
from numpy.typing import NDArray

from edgefactory.datasets.documents import Box, Header, Item, Label, Split

SPLITS: Final[tuple[Split, ...]] = get_args(Split)


@dataclass(frozen=True, slots=True)
class Table:
    """Pictures 0..n-1 in the manifest's order, and the labels 0..m-1 that are believed.

    A label is believed when it was accepted or reviewed, and is to be judged: queued, rejected
    and ignored ones are not here. `label_place` is the label's place in its item.
    """

    header: Header
    ids: NDArray[np.uint8]  # [n,32]
    sources: tuple[str, ...]
    source: NDArray[np.int32]  # [n], index into sources
    frame: NDArray[np.int64]  # [n], -1 where there is none
    at: NDArray[np.float64]  # [n], seconds
    split: NDArray[np.int8]  # [n], index into SPLITS
    size: NDArray[np.int32]  # [n,2], width and height
    label_item: NDArray[np.int64]  # [m], the picture
    label_place: NDArray[np.int32]  # [m]
    label_class: NDArray[np.int32]  # [m], index into the header's classes
    label_box: NDArray[np.float32]  # [m,4], zeros in a classification

    def __len__(self) -> int:
        return len(self.ids)

    def id(self, index: int) -> str:
        """The id of a picture."""
        return bytes(self.ids[index]).hex()

    def box(self, label: int) -> Box | None:
        """Where a label is; None for a label of the whole picture."""
        if self.header.task == "classification":
            return None
        x0, y0, x1, y1 = self.label_box[label].tolist()
        return x0, y0, x1, y1


def believed(label: Label) -> bool:
    """Whether training would use the label."""
    return label.state in ("accepted", "reviewed") and not label.ignore


def tabulate(header: Header, items: Iterable[Item]) -> Table:
    """The table of a manifest that is read once, item by item."""
    classes = {name: index for index, name in enumerate(header.classes)}
    splits = {name: index for index, name in enumerate(SPLITS)}
    sources: dict[str, int] = {}
    ids, at, box = bytearray(), array("d"), array("f")
    source, frame, split, size = array("i"), array("q"), array("b"), array("i")
    label_item, label_place, label_class = array("q"), array("i"), array("i")
    for index, item in enumerate(items):
        ids += bytes.fromhex(item.id)
        source.append(sources.setdefault(item.source, len(sources)))
        frame.append(-1 if item.frame is None else item.frame)
        at.append(item.captured_at)
        split.append(splits[item.split])
        size.extend((item.width, item.height))
        for place, label in enumerate(item.labels):
            if believed(label):
                label_item.append(index)
                label_place.append(place)
                label_class.append(classes[label.class_])
                box.extend(label.box or (0.0, 0.0, 0.0, 0.0))
    return Table(
        header,
        np.frombuffer(bytes(ids), np.uint8).reshape(-1, 32),
        tuple(sources),
        np.asarray(source, np.int32),
        np.asarray(frame, np.int64),
        np.asarray(at, np.float64),
        np.asarray(split, np.int8),
        np.asarray(size, np.int32).reshape(-1, 2),
        np.asarray(label_item, np.int64),
        np.asarray(label_place, np.int32),
        np.asarray(label_class, np.int32),
        np.asarray(box, np.float32).reshape(-1, 4),
    )


def grouped(keys: NDArray[np.integer[Any]]) -> Iterator[NDArray[np.intp]]:
    """The indices of each value of `keys` (from 0 up), in their order."""
    order = np.argsort(keys, kind="stable")
    edges = np.flatnonzero(np.diff(keys[order], prepend=-1, append=-1))
    for start, end in pairwise(edges):
        yield order[start:end]
