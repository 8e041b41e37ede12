"""Boxes of an odd size, shape or place, against the others of their class.

In a source with enough boxes of a class the height is judged by where the box stands: under a
fixed camera what is lower in the picture is nearer and larger. Elsewhere it is judged by itself.
A box that touches the picture's edge may be cut by it, and is not called small or narrow.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgefactory.datasets.checks.quality import usual
from edgefactory.datasets.checks.table import Table, grouped

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

_ENOUGH: Final = 40  # boxes of a class in a source from which the source is judged by itself
_FEWEST: Final = 12  # boxes of a class from which any is called odd
_FAR: Final = 5.0  # deviations
_EDGE: Final = 2.0  # pixels from the picture's edge within which a box touches it
_LEAST_SIDE: Final = 3.0  # pixels


class OddBox(NamedTuple):
    """A label's place in the table, how odd its box is (0..1), and why."""

    label: int
    score: float
    text: str


def find_odd_boxes(table: Table) -> list[OddBox]:
    """The odd boxes of a detection snapshot, each for its strangest property."""
    found: dict[int, OddBox] = {}
    for odd in _all(table):
        if odd.label not in found or found[odd.label].score < odd.score:
            found[odd.label] = odd
    return [found[label] for label in sorted(found)]


def _all(table: Table) -> Iterator[OddBox]:
    for label in np.flatnonzero(_sides(table).min(axis=1) < _LEAST_SIDE).tolist():
        width, height = _sides(table)[label].tolist()
        yield OddBox(label, 1.0, f"{width:.1f}x{height:.1f} pixels is next to nothing")
    for rows, fixed in groups(table):
        yield from _odd(table, rows, fixed)


def groups(table: Table) -> Iterator[tuple[Rows, bool]]:
    """Labels to be judged together, and whether they are of one source."""
    source = table.source[table.label_item]
    for class_ in range(len(table.header.classes)):
        members = np.flatnonzero(table.label_class == class_)
        counts = np.bincount(source[members], minlength=len(table.sources))
        alone = counts[source[members]] >= _ENOUGH
        for rows in grouped(source[members[alone]]):
            yield members[alone][rows], True
        if (~alone).sum() >= _FEWEST:
            yield members[~alone], False


def _sides(table: Table) -> NDArray[np.float32]:
    sides: NDArray[np.float32] = table.label_box[:, 2:] - table.label_box[:, :2]
    return sides


def _odd(table: Table, rows: Rows, fixed: bool) -> Iterator[OddBox]:
    name = table.header.classes[int(table.label_class[rows[0]])]
    size = table.size[table.label_item[rows]].astype(np.float64)
    box = table.label_box[rows].astype(np.float64)
    sides = np.maximum(box[:, 2:] - box[:, :2], 1e-3)
    cut = (box[:, :2] <= _EDGE).any(axis=1) | (box[:, 2:] >= size - _EDGE).any(axis=1)
    height = np.log2(sides[:, 1] / size[:, 1])
    expected = _by_place(box[:, 3] / size[:, 1], height) if fixed else float(np.median(height))
    looks = {
        "shape": np.log2(sides[:, 0] / sides[:, 1]),
        "height": height - expected,
        "area": np.log2(sides.prod(axis=1) / size.prod(axis=1)) - 2 * expected,
    }
    for what, values in looks.items():
        middle, deviation = usual(values.astype(np.float32), 0.12)
        apart = values - middle
        odd = np.abs(apart) > np.maximum(_FAR * deviation, 0.8)
        if what != "shape":
            odd &= ~cut | (apart > 0)
        else:
            odd &= ~cut
        for place in np.flatnonzero(odd).tolist():
            score = min(abs(float(apart[place])) / deviation / 20, 1.0)
            text = _words(what, float(apart[place]), name, fixed)
            yield OddBox(int(rows[place]), score, text)


def _by_place(foot: Floats, height: Floats) -> Floats:
    """The height that is usual for where a box stands: a straight line, found robustly.

    Least squares, then twice again over what was within two deviations (trimmed least squares).
    """
    keep = np.ones(len(foot), np.bool_)
    line: Floats = np.zeros(2)
    for _ in range(4):
        matrix = np.stack([foot[keep], np.ones(int(keep.sum()))], axis=1)
        line = np.asarray(np.linalg.lstsq(matrix, height[keep], rcond=None)[0], np.float64)
        rest = np.abs(height - foot * line[0] - line[1])
        keep = rest <= max(float(np.median(rest)) * 1.4826 * 2, 0.1)
    fitted: Floats = foot * line[0] + line[1]
    return fitted


def _words(what: str, apart: float, name: str, fixed: bool) -> str:
    times = f"{2 ** abs(apart):.1f} times"
    if what == "shape":
        return f"{times} {'wider' if apart > 0 else 'narrower'} for its height than usual: {name}"
    where = " there" if fixed else ""
    how = {"height": ("taller", "lower"), "area": ("larger", "smaller")}[what]
    return f"{times} {how[0] if apart > 0 else how[1]} than usual{where}: {name}"
