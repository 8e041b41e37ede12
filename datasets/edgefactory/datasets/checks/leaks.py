"""Frames of one video that are in different splits and too near in time."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from edgefactory.datasets.checks.table import SPLITS, Table, grouped

_STEPS: Final = 1.5  # usual distances of a source's frames within which two are neighbours


class Neighbours(NamedTuple):
    """A held-out picture, a neighbour of it in an earlier split, and how far in seconds."""

    held_out: int
    other: int
    seconds: float


def find_neighbours(table: Table) -> list[Neighbours]:
    """Each held-out frame that is a neighbour of a frame of another split, once.

    Only pictures with a frame number count; the usual distance is the median over a source.
    """
    frames = np.flatnonzero(table.frame >= 0)
    order = frames[np.lexsort((table.frame[frames], table.at[frames], table.source[frames]))]
    found: dict[int, Neighbours] = {}
    for members in grouped(table.source[order]):
        rows = order[members]
        apart = np.diff(table.at[rows])
        usual = float(np.median(apart)) if len(apart) > 1 else 0.0
        near = (apart <= _STEPS * usual) & (np.diff(table.split[rows]) != 0) & (usual > 0)
        for place in np.flatnonzero(near).tolist():
            # SPLITS is in the order train, val, test: the later one is the one held out.
            one, two = int(rows[place]), int(rows[place + 1])
            held_out, other = (two, one) if table.split[two] > table.split[one] else (one, two)
            found.setdefault(held_out, Neighbours(held_out, other, float(apart[place])))
    return list(found.values())


def splits_of(table: Table, one: int, other: int) -> str:
    """The splits of two pictures, in words."""
    return f"{SPLITS[table.split[one]]} and {SPLITS[table.split[other]]}"
