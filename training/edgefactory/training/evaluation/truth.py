"""What a snapshot's labels say is true, for judging: boxes, or one class a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from edgefactory.datasets import Item, Snapshot
from edgefactory.datasets.errors import InputError
from edgefactory.training.metrics import Truth

_SETTLED: Final = ("accepted", "reviewed")


def truth_of(item: Item, classes: Mapping[str, int]) -> Truth:
    """The labels of a picture as truth. What nobody has decided yet (queued) is to be ignored."""
    labels = [label for label in item.labels if label.state != "rejected" and label.box]
    return Truth(
        np.asarray([label.box for label in labels], np.float64).reshape(-1, 4),
        np.asarray([classes[label.class_] for label in labels], np.int64),
        np.asarray([label.ignore or label.state == "queued" for label in labels], np.bool_),
    )


def class_of(item: Item, classes: Mapping[str, int]) -> int:
    """The class of a picture. Raises InputError when it has none, or more than one."""
    names = {label.class_ for label in item.labels if label.state in _SETTLED}
    if len(names) != 1:
        raise InputError(f"picture {item.file} has the classes {sorted(names)}; expected one")
    return classes[names.pop()]


def has_class(item: Item) -> bool:
    """Whether somebody has settled what the picture is, and it is to be judged."""
    return any(label.state in _SETTLED and not label.ignore for label in item.labels)


def numbers(snapshot: Snapshot) -> dict[str, int]:
    """The classes' numbers by name."""
    return {name: number for number, name in enumerate(snapshot.classes)}
