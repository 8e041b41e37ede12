"""A classifier's snapshot out of a detector's: square crops with a person in them, or with nobody.

A crop of `person` holds a labelled box with some of what is around it; one of `nobody` has the side
of some such crop and touches no label at all, doubtful ones included. Splits are those of the
frames. Where people annotated a frame, the crops' labels are theirs; else the teacher's.
"""

import hashlib
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from edgefactory.datasets import Header, Item, Label, load_picture, read_snapshot, write_manifest
from edgefactory.datasets.files import fresh_folder, write_file
from edgefactory.datasets.manifest import MANIFEST

CLASSES: Final = ("nobody", "person")
_EACH: Final = {"train": 4, "val": 4, "test": 40}  # crops of each class a frame
_AROUND: Final = (1.2, 1.8)  # a crop's side, in longer sides of the box
_OFF: Final = 0.12  # of a crop's side, that the box may lie off its middle
_SMALLEST: Final = 24  # pixels
_TRIES: Final = 60  # places that are tried for a crop of nobody

UInt8 = npt.NDArray[np.uint8]
Square = tuple[int, int, int]
"""Left, top and side, in pixels."""


@dataclass(frozen=True)
class Crop:
    """A place in a picture, and the label that says what is there."""

    place: Square
    label: Label


def write_crops(frames: Path, out: Path) -> None:
    """Write the snapshot `out` of crops from the detection snapshot in `frames`.

    Which crops are taken follows from the frames alone.
    """
    snapshot = read_snapshot(frames)
    with fresh_folder(out, MANIFEST) as folder:
        items: dict[str, Item] = {}
        for frame in snapshot.items:
            pixels = load_picture(frames, frame)
            chance = np.random.default_rng(zlib.crc32(frame.id.encode()))
            for crop in crops_of(frame, _EACH[frame.split], chance):
                item = _written(folder, pixels, frame, crop)
                items[item.id] = item  # the same bytes twice are one picture
        header = Header("person-crops", "classification", CLASSES, snapshot.test_labels)
        write_manifest(folder, header, items.values())


def crops_of(frame: Item, each: int, chance: np.random.Generator) -> Iterator[Crop]:
    """Up to `each` crops of either class; none from a frame without a label to believe."""
    people = [label for label in frame.labels if _believed(label)]
    if not people:
        return
    order = chance.permutation(len(people))
    for number in range(each):
        label = people[order[number % len(people)]]
        around = _around(label, frame, chance)
        yield Crop(around, _named(label, "person"))
        empty = _empty(around[2], frame, chance)
        if empty is not None:
            yield Crop(empty, _named(label, "nobody"))


def _believed(label: Label) -> bool:
    return label.state in ("accepted", "reviewed") and not label.ignore


def _named(label: Label, name: str) -> Label:
    return Label(name, None, label.origin, 1.0, label.state)


def _around(label: Label, frame: Item, chance: np.random.Generator) -> Square:
    assert label.box is not None
    x0, y0, x1, y1 = label.box
    wanted = max(x1 - x0, y1 - y0) * chance.uniform(*_AROUND)
    side = int(np.clip(wanted, _SMALLEST, min(frame.width, frame.height)))
    off_x, off_y = chance.uniform(-_OFF, _OFF, 2) * side
    left, top = (x0 + x1 - side) / 2 + off_x, (y0 + y1 - side) / 2 + off_y
    return (
        int(np.clip(left, 0, frame.width - side)),
        int(np.clip(top, 0, frame.height - side)),
        side,
    )


def _empty(side: int, frame: Item, chance: np.random.Generator) -> Square | None:
    """A square of that side that touches no label, or None where there is hardly room."""
    boxes = np.array([label.box for label in frame.labels if label.state != "rejected"])
    for _ in range(_TRIES):
        left = int(chance.integers(0, frame.width - side + 1))
        top = int(chance.integers(0, frame.height - side + 1))
        if not _touches((left, top, side), boxes):
            return left, top, side
    return None


def _touches(place: Square, boxes: npt.NDArray[np.float64]) -> bool:
    left, top, side = place
    across = (boxes[:, 0] < left + side) & (boxes[:, 2] > left)
    along = (boxes[:, 1] < top + side) & (boxes[:, 3] > top)
    return bool(np.any(across & along))


def _written(folder: Path, pixels: UInt8, frame: Item, crop: Crop) -> Item:
    from PIL import Image

    left, top, side = crop.place
    stream = io.BytesIO()
    Image.fromarray(pixels[top : top + side, left : left + side]).save(stream, "PNG")
    name = hashlib.sha256(stream.getvalue()).hexdigest()
    write_file(folder / "images" / f"{name}.png", stream.getvalue())
    return Item(
        id=name,
        file=f"images/{name}.png",
        width=side,
        height=side,
        source=frame.source,
        frame=frame.frame,
        captured_at=frame.captured_at,
        split=frame.split,
        labels=(crop.label,),
        reviewed=frame.reviewed,
    )
