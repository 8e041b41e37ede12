"""Sources whose camera stands still, and the scene that is behind all of their pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgefactory.datasets.checks.measuring import THUMB, Measures
from edgefactory.datasets.checks.table import grouped
from edgefactory.datasets.documents import Box

Floats = NDArray[np.float32]

FEWEST: Final = 10  # pictures of a source that is judged by itself
_BACKGROUND: Final = 201  # pictures at most whose median is the empty scene
_CHANGED: Final = 25.0  # grey levels by which a covered spot differs from the scene, at least
_STILL: Final = 0.15  # share of a picture that changes in most pictures of a still camera, at most
_EMPTY: Final = 10.0  # grey levels from the scene up to which a place is empty
_CHUNK: Final = 1024


@dataclass(frozen=True, slots=True)
class Scene:
    """A still camera's pictures `rows`, its empty scene [64,64], and what share [len(rows)] of
    each picture is not that scene."""

    rows: NDArray[np.intp]
    empty: NDArray[np.uint8]
    changed: Floats


def find_scenes(measures: Measures, source: NDArray[np.int32]) -> list[Scene]:
    """A scene for each source with ten pictures or more of which most look alike."""
    scenes = []
    for rows in grouped(source):
        if len(rows) < FEWEST:
            continue
        step = -(-len(rows) // _BACKGROUND)
        empty = np.median(measures.thumb[rows[::step]], axis=0).astype(np.uint8)
        parts = [
            _changed(measures.thumb[rows[start : start + _CHUNK]], empty)
            for start in range(0, len(rows), _CHUNK)
        ]
        changed = np.concatenate(parts)
        if float(np.median(changed)) <= _STILL:
            scenes.append(Scene(rows, empty, changed))
    return scenes


class Emptiness:
    """Says whether a place in a picture shows but the scene behind it."""

    def __init__(self, scenes: Sequence[Scene], thumb: NDArray[np.uint8]) -> None:
        """`thumb` [n,64,64] of all pictures."""
        self._scene = {int(row): scene for scene in scenes for row in scene.rows}
        self._thumb = thumb

    def __call__(self, picture: int, place: Box) -> bool | None:
        """For `place` in shares of the picture's sides; None where no scene is known."""
        scene = self._scene.get(picture)
        if scene is None:
            return None
        return unlike(scene, self._thumb[picture], place) <= _EMPTY


def unlike(scene: Scene, thumb: NDArray[np.uint8], place: Box) -> float:
    """How far a picture is from the empty scene at `place` (shares of its sides): grey levels.

    The mean over the thumbnail's pixels that the place touches.
    """
    x0, y0, x1, y1 = (round(share * THUMB, 3) for share in place)
    left, top = min(int(x0), THUMB - 1), min(int(y0), THUMB - 1)
    rest = _apart(thumb[None], scene.empty).reshape(THUMB, THUMB)
    return float(rest[top : max(ceil(y1), top + 1), left : max(ceil(x1), left + 1)].mean())


def _changed(thumbs: NDArray[np.uint8], empty: NDArray[np.uint8]) -> Floats:
    """The share of each thumbnail [n,64,64] that differs from the scene."""
    share: Floats = (_apart(thumbs, empty) > _CHANGED).mean(axis=1, dtype=np.float32)
    return share


def _apart(thumbs: NDArray[np.uint8], empty: NDArray[np.uint8]) -> Floats:
    """How far each pixel of thumbnails [n,64,64] is from the scene: grey levels [n,4096].

    The light of a picture is first brought to that of the scene, by least squares over the half
    of the pixels that fit best.
    """
    scene = empty.ravel().astype(np.float32)
    pictures = thumbs.reshape(len(thumbs), -1).astype(np.float32)
    weight = np.ones_like(pictures)
    rest: Floats = np.abs(pictures - scene)
    for _ in range(4):
        total = weight.sum(axis=1, keepdims=True)
        mean_x = (weight * scene).sum(axis=1, keepdims=True) / total
        mean_y = (weight * pictures).sum(axis=1, keepdims=True) / total
        spread = (weight * (scene - mean_x) ** 2).sum(axis=1, keepdims=True)
        shared = (weight * (scene - mean_x) * (pictures - mean_y)).sum(axis=1, keepdims=True)
        gain = np.clip(shared / np.maximum(spread, 1e-3), 0.5, 2.0)
        rest = np.abs(pictures - mean_y - gain * (scene - mean_x))
        weight = (rest <= np.median(rest, axis=1, keepdims=True)).astype(np.float32)
    return np.asarray(rest, np.float32)
