"""Laying one thumbnail over another: shift, zoom and light, found by Gauss-Newton steps.

After Lucas and Kanade (1981), for many pairs at once, with a zoom for each axis and with gain and
offset of the light solved for in the same step.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgefactory.datasets.checks.measuring import THUMB

Floats = NDArray[np.float32]

_STEPS: Final = 6
_CHUNK: Final = 128
_BORDER: Final = 5  # rows and columns at the edge that the other picture may not have
_LIMIT: Final = np.array([4.0, 4.0, 0.1, 0.1], np.float32)  # pixels, pixels, share, share
_AXIS: Final = np.arange(THUMB, dtype=np.float32) - (THUMB - 1) / 2
_INNER: Final = np.s_[:, _BORDER:-_BORDER, _BORDER:-_BORDER]


def laid_over(targets: NDArray[np.uint8], pictures: NDArray[np.uint8]) -> Floats:
    """`pictures` [n,64,64] as they look when laid over `targets` [n,64,64], in its light: f32.

    A picture that is not like its target keeps what fits it best within 4 pixels and 10% of zoom.
    """
    parts = [
        _laid_over(
            smooth(targets[start : start + _CHUNK]), smooth(pictures[start : start + _CHUNK])
        )
        for start in range(0, len(pictures), _CHUNK)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, THUMB, THUMB), np.float32)


def differences(targets: NDArray[np.uint8], pictures: NDArray[np.uint8]) -> Floats:
    """The largest difference [n] between targets and the pictures laid over them, grey levels.

    Of means over 2x2 pixels, without the outermost ones.
    """
    rest = (smooth(targets) - laid_over(targets, pictures))[_INNER]
    side = rest.shape[1] // 2
    largest: Floats = np.abs(rest.reshape(-1, side, 2, side, 2).mean(axis=(2, 4))).max(axis=(1, 2))
    return largest


def smooth(thumbs: NDArray[np.uint8]) -> Floats:
    """Each pixel with half of its neighbours', so that how a picture was reduced tells less."""
    level = np.pad(thumbs.astype(np.float32), ((0, 0), (1, 1), (1, 1)), mode="edge")
    down = (level[:, :-2] + 2 * level[:, 1:-1] + level[:, 2:]) / 4
    smoothed = (down[:, :, :-2] + 2 * down[:, :, 1:-1] + down[:, :, 2:]) / 4
    return np.asarray(smoothed, np.float32)


def _laid_over(targets: Floats, pictures: Floats) -> Floats:
    place = np.zeros((len(pictures), 4), np.float32)
    best = _relit(targets, pictures)
    least = _misfit(targets, best)
    for _ in range(_STEPS):
        place = np.clip(place + _step(targets, _moved(pictures, place)), -_LIMIT, _LIMIT)
        tried = _relit(targets, _moved(pictures, place))
        misfit = _misfit(targets, tried)
        better = misfit < least
        best[better], least[better] = tried[better], misfit[better]
    return best


def _moved(pictures: Floats, place: Floats) -> Floats:
    """Each picture read at (1 + zoom) * position + shift, linearly."""
    across = _weights(place[:, 0], place[:, 2]).transpose(0, 2, 1)
    moved = _weights(place[:, 1], place[:, 3]) @ pictures @ across
    return np.asarray(moved, np.float32)


def _weights(shift: Floats, zoom: Floats) -> Floats:
    """Matrices [n,64,64] that read a line of pixels at (1 + zoom) * position + shift."""
    at = np.clip(_AXIS * (1 + zoom[:, None]) + shift[:, None] + (THUMB - 1) / 2, 0, THUMB - 1)
    near: Floats = np.maximum(0, 1 - np.abs(at[:, :, None] - np.arange(THUMB, dtype=np.float32)))
    return near.astype(np.float32)


def _step(targets: Floats, moved: Floats) -> Floats:
    down, right = np.gradient(moved, axis=(1, 2))
    columns = [right, down, right * _AXIS, down * _AXIS[:, None], moved, np.ones_like(moved)]
    matrix = np.stack([column[_INNER].reshape(len(moved), -1) for column in columns], axis=1)
    square = (matrix @ matrix.transpose(0, 2, 1)).astype(np.float64)
    square += np.eye(6) * (1e-6 * np.trace(square, axis1=1, axis2=2)[:, None, None] + 1e-6)
    wanted = matrix @ targets[_INNER].reshape(len(moved), -1, 1)
    solved = np.linalg.solve(square, wanted.astype(np.float64))[:, :, 0]
    step: Floats = (solved[:, :4] / np.maximum(solved[:, 4:5], 0.3)).astype(np.float32)
    return step


def _relit(targets: Floats, pictures: Floats) -> Floats:
    """The pictures with the gain (0.6 to 1.6) and offset that fit their targets best."""
    x, y = pictures[_INNER], targets[_INNER]
    mean_x, mean_y = x.mean(axis=(1, 2), keepdims=True), y.mean(axis=(1, 2), keepdims=True)
    spread = np.maximum(((x - mean_x) ** 2).mean(axis=(1, 2), keepdims=True), 1e-3)
    gain = ((x - mean_x) * (y - mean_y)).mean(axis=(1, 2), keepdims=True) / spread
    relit: Floats = (pictures - mean_x) * np.clip(gain, 0.6, 1.6) + mean_y
    return relit


def _misfit(targets: Floats, pictures: Floats) -> Floats:
    misfit: Floats = np.abs(targets[_INNER] - pictures[_INNER]).mean(axis=(1, 2))
    return misfit
