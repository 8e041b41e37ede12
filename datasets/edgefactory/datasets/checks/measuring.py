"""What is measured of every picture, once, while it is decoded.

Light and sharpness are measured on the luminance, reduced so that no side has more than 512
pixels; so a picture that was enlarged does not count as blurred. The thumbnail, 64x64 grey levels,
is what pictures are compared by.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

THUMB: Final = 64  # pixels a side
FEATURES: Final = 16 * 16 + 8 * 8 * 8 + 3 * 8
_SIDE: Final = 512  # pixels of the longer side beyond which a picture is reduced
_WHITE: Final = 250  # grey levels from which a pixel is as good as saturated


class Measured(NamedTuple):
    """One picture: grey levels 0..255; `white` a share of its pixels; `sharpness` a ratio."""

    digest: bytes
    mean: float
    low: float
    high: float
    white: float
    sharpness: float
    thumb: Pixels


@dataclass(frozen=True, slots=True)
class Measures:
    """The measurements of n pictures, as arrays; rows are filled in as pictures are read.

    `digest` [n,16] tells equal pixels, `low` and `high` are the 5th and 95th percentile,
    `thumb` is [n,64,64].
    """

    digest: NDArray[np.uint8]
    mean: Floats
    low: Floats
    high: Floats
    white: Floats
    sharpness: Floats
    thumb: Pixels

    @classmethod
    def empty(cls, count: int) -> Measures:
        """Room for `count` pictures: some 4.2 kB each."""
        mean, low, high, white, sharp = (np.zeros(count, np.float32) for _ in range(5))
        digest, thumb = np.zeros((count, 16), np.uint8), np.zeros((count, THUMB, THUMB), np.uint8)
        return cls(digest, mean, low, high, white, sharp, thumb)

    def put(self, index: int, found: Measured) -> None:
        """Fill in one row."""
        self.digest[index] = np.frombuffer(found.digest, np.uint8)
        self.mean[index] = found.mean
        self.low[index] = found.low
        self.high[index] = found.high
        self.white[index] = found.white
        self.sharpness[index] = found.sharpness
        self.thumb[index] = found.thumb


def measure(pixels: Pixels) -> Measured:
    """Measure one picture, uint8 [H,W,3] RGB."""
    digest = hashlib.blake2b(np.ascontiguousarray(pixels).data, digest_size=16)
    digest.update(repr(pixels.shape).encode())
    image = Image.fromarray(pixels).convert("L")
    if max(image.size) > _SIDE:
        scale = _SIDE / max(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    grey = np.asarray(image)
    histogram = np.cumsum(np.bincount(grey.ravel(), minlength=256)) / grey.size
    return Measured(
        digest.digest(),
        float(grey.mean()),
        float(np.searchsorted(histogram, 0.05)),
        float(np.searchsorted(histogram, 0.95)),
        float(1 - histogram[_WHITE - 1]),
        sharpness(grey),
        np.asarray(image.resize((THUMB, THUMB), Image.Resampling.BILINEAR)),
    )


def sharpness(grey: Pixels) -> float:
    """The mean square of the Laplacian over the variance: detail, whatever the contrast.

    After the variance of the Laplacian (Pech-Pacheco 2000), divided by that of the picture, so
    that a dark picture is not taken for a blurred one.
    """
    level = grey.astype(np.float32)
    variance = float(level.var())
    if min(level.shape) < 3 or variance < 1:
        return 0.0
    laplacian = -4 * level[1:-1, 1:-1]
    laplacian += level[:-2, 1:-1]
    laplacian += level[2:, 1:-1]
    laplacian += level[1:-1, :-2]
    laplacian += level[1:-1, 2:]
    return float(np.square(laplacian, out=laplacian).mean()) / variance


def describe(pixels: Pixels) -> Floats:
    """What a picture, or a crop of one, looks like: f32 [792] for the small learner.

    Grey levels 16x16 less their mean, the directions of edges (8 in each of 8x8 cells, after
    Dalal and Triggs 2005) and a histogram of each colour; each group has length 1.
    """
    image = Image.fromarray(pixels)
    grey = np.asarray(image.convert("L").resize((34, 34), Image.Resampling.BOX), np.float32)
    dx = grey[1:-1, 2:] - grey[1:-1, :-2]
    dy = grey[2:, 1:-1] - grey[:-2, 1:-1]
    strength = np.hypot(dx, dy)
    direction = (np.arctan2(dy, dx) * (4 / np.pi)).astype(np.int64) % 8
    cell = np.arange(32) // 4
    place = (cell[:, None] * 8 + cell[None, :]) * 8 + direction
    edges = np.sqrt(np.bincount(place.ravel(), strength.ravel(), 512))
    small = np.asarray(image.convert("L").resize((16, 16), Image.Resampling.BOX), np.float32)
    colours = np.concatenate(
        [np.bincount((pixels[..., c] >> 5).ravel(), minlength=8) for c in range(3)]
    )
    groups = (small.ravel() - small.mean(), edges, colours)
    lengths = [max(float(np.linalg.norm(group)), 1e-6) for group in groups]
    described = np.concatenate([g / length for g, length in zip(groups, lengths, strict=True)])
    return np.asarray(described, np.float32)
