"""Pictures that are too dark, over-exposed, blurred or covered, against their own source.

What is usual is the median of a source's pictures, and how far one may be from it their median
absolute deviation; sources of fewer than ten pictures are judged together. A picture whose light
is wrong is not judged further.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgefactory.datasets.checks.findings import Kind
from edgefactory.datasets.checks.measuring import Measures
from edgefactory.datasets.checks.scenes import FEWEST, Scene
from edgefactory.datasets.checks.table import grouped

Floats = NDArray[np.float32]
Rows = NDArray[np.intp]

_FAR: Final = 5.0  # deviations from the median that are not usual any more
_WHITER: Final = 0.12  # more of a still camera's picture that is white than usual
_MUCH_WHITER: Final = 0.35  # the same where pictures differ anyway
_COVERED: Final = 0.12  # share of a picture, beyond the usual, that makes it a covered one


class Fault(NamedTuple):
    """What is wrong with one picture; `score` 0..1 grows with how much."""

    kind: Kind
    picture: int
    score: float
    text: str


def find_faults(
    measures: Measures, source: NDArray[np.int32], scenes: Sequence[Scene]
) -> list[Fault]:
    """All faults of light, view and sharpness, at most one a picture, in that order."""
    groups = list(by_source(source))
    found: dict[int, Fault] = {}
    still = {int(row) for scene in scenes for row in scene.rows}
    for rows in groups:
        most = _WHITER if int(rows[0]) in still else _MUCH_WHITER
        found |= {f.picture: f for f in (*_dark(measures, rows), *_white(measures, rows, most))}
    for scene in scenes:
        found |= {f.picture: f for f in _covered(scene, found.keys())}
    for rows in groups:
        good = np.asarray([row for row in rows.tolist() if row not in found], np.intp)
        found |= {f.picture: f for f in _blurred(measures, good)}
    return [found[picture] for picture in sorted(found)]


def by_source(source: NDArray[np.int32]) -> Iterator[Rows]:
    """The pictures of each source that has enough of them, then all others together."""
    rest: list[Rows] = []
    for rows in grouped(source):
        if len(rows) >= FEWEST:
            yield rows
        else:
            rest.append(rows)
    if rest:
        yield np.concatenate(rest)


def usual(values: Floats, least: float) -> tuple[float, float]:
    """Median and standard deviation by the median absolute deviation, of `least` at least."""
    middle = float(np.median(values))
    return middle, max(float(np.median(np.abs(values - middle))) * 1.4826, least)


def _dark(measures: Measures, rows: Rows) -> Iterator[Fault]:
    light = np.log2(measures.high[rows] + 4.0)
    middle, deviation = usual(light, 0.1)
    for row, level in zip(rows.tolist(), light.tolist(), strict=True):
        high, below = float(measures.high[row]), middle - level
        if high < 20:
            yield Fault("dark", row, 1.0, f"nothing is brighter than {high:.0f} of 255")
        elif below > max(0.75, _FAR * deviation):
            score = min(below / 5, 1.0)
            yield Fault("dark", row, score, f"{2**below:.1f} times darker than its source")


def _white(measures: Measures, rows: Rows, most: float) -> Iterator[Fault]:
    white, low = measures.white[rows], measures.low[rows]
    middle, deviation = usual(white, 0.01)
    for row, share, least in zip(rows.tolist(), white.tolist(), low.tolist(), strict=True):
        if least >= 235 and middle < 0.5:
            yield Fault("over-exposed", row, 1.0, f"nothing is darker than {least:.0f} of 255")
        elif share - middle > max(most, _FAR * deviation):
            text = f"{share:.0%} of it is white; usual in its source: {middle:.0%}"
            yield Fault("over-exposed", row, share, text)


def _blurred(measures: Measures, rows: Rows) -> Iterator[Fault]:
    if not rows.size:
        return
    detail = np.log2(measures.sharpness[rows] + 1e-5)
    middle, deviation = usual(detail, 0.15)
    for row, level in zip(rows.tolist(), detail.tolist(), strict=True):
        below = middle - level
        if below > max(1.0, _FAR * deviation) and measures.sharpness[row] > 0:
            score = min(below / 8, 1.0)
            yield Fault("blurred", row, score, f"{2**below:.1f} times less detail than its source")


def _covered(scene: Scene, bad: Set[int]) -> Iterator[Fault]:
    middle, deviation = usual(scene.changed, 0.01)
    for row, share in zip(scene.rows.tolist(), scene.changed.tolist(), strict=True):
        if row not in bad and share - middle > max(_COVERED, _FAR * deviation):
            text = f"{share:.0%} of it differs from the scene; usual in its source: {middle:.0%}"
            yield Fault("occluded", row, share, text)
