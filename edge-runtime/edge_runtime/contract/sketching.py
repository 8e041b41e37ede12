"""A picture's and its decisions' figures, and sketches of them. The one implementation, for
factory and site alike: what they compare must be made in the same way."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from edge_runtime.contract.reference import Edges, Sketch
from edge_runtime.contract.release import Decisions

UInt8 = npt.NDArray[np.uint8]
Float64 = npt.NDArray[np.float64]

BINS = 10
LOWEST_SCORE = 0.05
INPUTS: Final = ("brightness", "contrast", "colour", "sharpness")
DECISIONS: Final = ("score", "decisions", "leading")
_ROWS = 64  # at most about so many rows are looked at


def inputs_of(picture: UInt8) -> dict[str, float]:
    """The figures of a model's input (uint8 [h,w,3], RGB), by the names of `Saw`.

    `brightness` and `contrast` are mean and standard deviation of the grey level
    (R + 2G + B) / 4; `colour` is the mean of the largest minus the smallest channel; `sharpness`
    is log2(1 + mean squared second difference along the rows), after the energy of the Laplacian
    (Pertuz et al. 2013, LAP1). Of a large picture every k-th row is looked at: some 0.2 ms.
    """
    rows = picture[:: max(1, len(picture) // _ROWS)]
    red, green, blue = (rows[..., channel].astype(np.int16) for channel in range(3))
    grey = (red + 2 * green + blue) // 4
    second = np.diff(grey, 2, axis=1).astype(np.float32) if grey.shape[1] > 2 else np.zeros(1)
    most = np.maximum(np.maximum(red, green), blue)
    least = np.minimum(np.minimum(red, green), blue)
    return {
        "brightness": float(grey.mean()),
        "contrast": float(grey.std()),
        "colour": float(np.mean(most - least)),
        "sharpness": float(np.log2(1 + np.mean(second**2))),
    }


def decisions_of(found: Decisions, threshold: float) -> dict[str, float]:
    """The figures of a picture's decisions (best first), by the names of `Said`.

    A score below LOWEST_SCORE counts as none at all; `leading` is a class number, −1 for none.
    """
    score = found.scores[0] if found.scores else 0.0
    number = sum(score >= threshold for score in found.scores)
    return {
        "score": score if score >= LOWEST_SCORE else 0.0,
        "decisions": float(number),
        "leading": float(found.labels[0]) if number else -1.0,
    }


def sketch_of(values: Sequence[float] | Float64, edges: Edges | None = None) -> Sketch:
    """The sketch of figures in the order of their time; without `edges` in bins about equally full.

    Where nearly all are one value, its bin is narrow: what leaves it is seen.
    """
    data = np.asarray(values, np.float64)
    if edges is None:
        marks = np.quantile(data, np.arange(1, BINS) / BINS, method="nearest")
        known = sorted({float(f"{mark:.4g}") for mark in marks})
        if len(known) == 1:
            known.append(known[0] + max(1e-3, abs(known[0]) * 1e-3))
        edges = tuple(known)
    return Sketch(edges, count(data, edges), independent(data))


def count(values: Float64, edges: Sequence[float]) -> tuple[int, ...]:
    """How many of `values` fall into each bin."""
    bins = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    return tuple(int(number) for number in bins)


def independent(values: Float64) -> float:
    """How many independent values the series `values` is worth: n (1 − ρ) / (1 + ρ), with ρ the
    correlation of neighbours (Wilks, Statistical Methods in the Atmospheric Sciences, 5.2.4)."""
    away = values - values.mean()
    power = float(np.sum(away**2))
    ratio = float(np.sum(away[1:] * away[:-1])) / power if power > 1e-12 else 0.0
    ratio = min(max(ratio, 0.0), 0.98)
    return round(max(1.0, len(values) * (1 - ratio) / (1 + ratio)), 1)
