"""Snapshots of small real pictures, as the tests of the formats need them."""

from __future__ import annotations

import hashlib
import io
from functools import cache
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from edgefactory.datasets import Box, ErrorBound, Header, Item, Label, Snapshot, read_manifest
from edgefactory.datasets.carrying import write_snapshot
from edgefactory.datasets.documents import Split, State, Task

SIZES = ((30, 20), (17, 40), (64, 64), (5, 9), (101, 33))
BOUND = ErrorBound(
    id="0123456789abcdef",
    classes=("*",),
    max_error=0.05,
    confidence=0.95,
    threshold=0.5,
    labels=2,
    checked=90,
    wrong=1,
    method="hypergeometric",
    teacher="t",
)


@cache
def picture(number: int) -> tuple[bytes, str, int, int]:
    """A picture of its own: bytes, ending, width and height. Every other one is a PNG."""
    width, height = SIZES[number % len(SIZES)]
    pixels = np.full((height, width, 3), 40 + 20 * number, np.uint8)
    kind = "png" if number % 2 else "jpg"
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG" if number % 2 else "JPEG")
    return buffer.getvalue(), kind, width, height


def item(number: int, *labels: Label, split: Split = "train", name: str | None = None) -> Item:
    """The item of `picture(number)`."""
    content, kind, width, height = picture(number)
    digest = hashlib.sha256(content).hexdigest()
    file = f"images/{digest}.{kind}"
    source, frame = f"camera-{number % 2}", number * 3
    return Item(
        digest, file, width, height, source, frame, number * 0.25, split, tuple(labels), name
    )


def label(class_: str, box: Box | None, state: State = "accepted") -> Label:
    """A teacher's label."""
    return Label(class_, box, f"teacher:{'a' * 64}", 0.75, state)


def header(task: Task = "detection", classes: tuple[str, ...] = ("person", "car")) -> Header:
    """A header that says no more than it must."""
    return Header("set", task, classes, "imported")


def put(folder: Path, head: Header, *items: Item) -> Snapshot:
    """Write a snapshot of items made by `item`, and read it back."""
    content = {item(number).id: picture(number)[0] for number in range(8)}
    write_snapshot(folder, head, items, lambda one: content[one.id])
    return read_manifest(folder)


NAMES = st.sampled_from(
    [
        *("x.jpg", "x.png", "a/x.jpg", "a/b/x.png", "train/x.jpg", "val/x.jpg", "X.JPG", "x.tif"),
        *("images/x.jpg", "a/images/b/x.jpg", "labels/x.jpg", "frame 2.jpg", "frame 10.jpg"),
        *("größe.jpg", "画/像.png", "../x.jpg", "/x.jpg", ".x.jpg", "a//x.jpg", "x ", "a\\x.jpg"),
        *("train/person/x.jpg", "person/x.jpg", "x\n.jpg", "y" * 300 + ".jpg", "x", "x.jpg.png"),
    ]
)


@st.composite
def boxes(draw: st.DrawFn, width: int, height: int) -> Box:
    """A box in a picture: any numbers, or such as a thousandth of a pixel can say."""
    side = st.floats(0, 0.9, allow_subnormal=False)
    x, y = draw(side) * width, draw(side) * height
    x1 = x + draw(st.floats(0.05, 1)) * (width - x)
    y1 = y + draw(st.floats(0.05, 1)) * (height - y)
    box = (x, y, min(x1, width), min(y1, height))
    if draw(st.booleans()):
        return round(box[0], 3), round(box[1], 3), round(box[2], 3), round(box[3], 3)
    return box


@st.composite
def labels(draw: st.DrawFn, classes: tuple[str, ...], box: Box | None, bound: bool) -> Label:
    """Any label: every origin, score and state."""
    origins = ("imported:coco", "imported:yolo", "imported:voc", "imported:folders", "human:ann")
    return Label(
        draw(st.sampled_from(classes)),
        box,
        draw(st.sampled_from((*origins, f"teacher:{'b' * 64}"))),
        draw(st.sampled_from((1.0, 0.5, 0.1))),
        draw(st.sampled_from(("accepted", "accepted", "reviewed", "queued", "rejected"))),
        draw(st.booleans()),
        BOUND.id if bound and draw(st.booleans()) else None,
    )


@st.composite
def snapshots(draw: st.DrawFn, task: Task, names: st.SearchStrategy[str]) -> Snapshot:
    """Any snapshot of up to six pictures, with classes called by `names`."""
    classes = tuple(draw(st.lists(names, min_size=1, max_size=3, unique=True)))
    bound = draw(st.booleans())
    numbers = draw(st.lists(st.integers(0, 7), min_size=1, max_size=6, unique=True))
    called = draw(
        st.lists(st.none() | NAMES, min_size=6, max_size=6, unique_by=lambda n: n or id(n))
    )
    items = []
    for number, name in zip(numbers, called, strict=False):
        _, _, width, height = picture(number)
        count = draw(st.integers(0, 3 if task == "detection" else 1))
        own = [
            draw(
                labels(classes, draw(boxes(width, height)) if task == "detection" else None, bound)
            )
            for _ in range(count)
        ]
        base = item(number, *own, split=draw(st.sampled_from(("train", "val", "test"))), name=name)
        items.append(base)
    return Snapshot(
        "set",
        task,
        classes,
        draw(st.sampled_from(("human", "teacher", "imported"))),
        draw(st.sampled_from((None, "c" * 64))),
        tuple(items),
        (BOUND,) if bound else (),
    )
