"""Which pictures belong together: one source (camera), one time of day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Final

import numpy as np

from edgefactory.datasets import Item
from edgefactory.datasets.outcomes import time_of_day
from edgefactory.training.evaluation.document import By
from edgefactory.training.metrics import Integers

LEAST_PICTURES: Final = 5
LEAST_THINGS: Final = 10  # boxes, or pictures of a classification
MOST_GROUPS: Final = 100  # of one kind


@dataclass(frozen=True)
class Group:
    """Some of the pictures, by their places among all."""

    by: By
    name: str
    pictures: Integers


@dataclass(frozen=True)
class Groups:
    """All groups of pictures, and why there are none of a kind."""

    found: tuple[Group, ...]
    without: Mapping[str, str] = field(default_factory=dict)


def groups(items: Sequence[Item], zone: tzinfo = UTC) -> Groups:
    """The pictures by source, and by time of day in `zone` where it is known.

    `captured_at` counts from the start of the source, which says nothing of the time of day. From
    2001 on it can only be POSIX time (seconds since 1970 in UTC).
    """
    found: list[Group] = []
    without: dict[str, str] = {}
    sources = _grouped("source", [item.source for item in items])
    if len(sources) < 2:
        without["source"] = f"all pictures are from {sources[0].name}"
    else:
        found += sources[:MOST_GROUPS]
        if len(sources) > MOST_GROUPS:
            without["source"] = f"the {MOST_GROUPS} of {len(sources)} with the most pictures"
    bands = [time_of_day(item.captured_at, zone) for item in items]
    if None in bands:
        without["time"] = "captured_at counts from the start of the source, not from 1970"
        return Groups(tuple(found), without)
    times = _grouped("time", [str(band) for band in bands])
    if len(times) < 2:
        without["time"] = f"all pictures are from {times[0].name}"
    else:
        found += sorted(times, key=lambda group: group.name)
    return Groups(tuple(found), without)


def too_small(pictures: int, things: int, what: str) -> str:
    """Why a slice has no figures; "" when it is large enough. `things` are what is judged there."""
    if pictures >= LEAST_PICTURES and things >= LEAST_THINGS:
        return ""
    if what == "pictures":
        return f"{things} pictures; {LEAST_THINGS} are needed for a figure"
    return (
        f"{things} {what} in {pictures} pictures; "
        f"{LEAST_THINGS} in {LEAST_PICTURES} are needed for a figure"
    )


def _grouped(by: By, names: Sequence[str]) -> list[Group]:
    """The places of equal names, the largest group first."""
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(name, []).append(place)
    ranked = sorted(places.items(), key=lambda entry: (-len(entry[1]), entry[0]))
    return [Group(by, name, np.asarray(found, np.int64)) for name, found in ranked]
