"""Pools of pictures with a machine's labels, of which some people have reviewed."""

from __future__ import annotations

from hashlib import sha256

from edgefactory.datasets import Item, Label, Snapshot
from edgefactory.datasets.bounds import calibration_order
from edgefactory.datasets.documents import Box, State, Task

ORIGIN = "teacher:" + "1" * 64
SQUARE: Box = (10.0, 10.0, 30.0, 30.0)


def said(class_: str, score: float, box: Box | None = None, state: State = "queued") -> Label:
    """What the machine says."""
    return Label(class_, box, ORIGIN, score, state)


def true(class_: str, box: Box | None = None, ignore: bool = False) -> Label:
    """What a person says."""
    return Label(class_, box, "human:ann", 1.0, "reviewed", ignore)


def item(index: int, labels: tuple[Label, ...], reviewed: bool = False) -> Item:
    """A picture of 64x64 pixels."""
    id_ = sha256(str(index).encode()).hexdigest()
    file = f"images/{id_}.png"
    return Item(id_, file, 64, 64, "cam", index, 0.0, "train", labels, None, reviewed)


def pool(items: list[Item]) -> Snapshot:
    """A snapshot of them with the classes that they use."""
    classes = tuple(sorted({label.class_ for i in items for label in i.labels}))
    boxes = any(label.box for i in items for label in i.labels)
    task: Task = "detection" if boxes else "classification"
    return Snapshot("pool", task, classes, "human", None, tuple(items))


def drawn(
    machine: list[tuple[Label, ...]], people: list[tuple[Label, ...]], count: int, seed: int = 0
) -> Snapshot:
    """A pool whose first `count` pictures of the calibration order people have reviewed."""
    plain = [item(index, labels) for index, labels in enumerate(machine)]
    first = set(calibration_order((i.id for i in plain), seed)[:count])
    return pool(
        [
            item(index, (*old.labels, *people[index]), True) if old.id in first else old
            for index, old in enumerate(plain)
        ]
    )
