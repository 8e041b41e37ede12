"""What decisions and truth are made of, and how good classes and embeddings are.

How good detections are is in `evaluation`: COCO's AP, at any IoU, with its bootstrap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgefactory.datasets.errors import InputError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

LEVEL = 0.95  # of intervals, where nothing says another
Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Detections:
    """What a model said about one picture: boxes [n,4] xyxy, scores [n], class numbers [n]."""

    boxes: Floats
    scores: Floats
    labels: Integers


@dataclass(frozen=True)
class Truth:
    """What is in one picture: boxes [m,4] xyxy, class numbers [m], ignore regions flagged [m]."""

    boxes: Floats
    labels: Integers
    ignore: Booleans


@dataclass(frozen=True)
class Interval:
    """A bootstrap percentile interval."""

    lo: float
    hi: float


@dataclass(frozen=True)
class Difference:
    """A paired difference a - b with its bootstrap percentile interval."""

    value: float
    lo: float
    hi: float


def accuracy(probabilities: Floats, targets: Integers) -> float:
    """The share of pictures whose most probable class [n,C] is the target [n]."""
    return float(_correct(probabilities, targets).mean())


def accuracy_bootstrap(
    probabilities: Floats, targets: Integers, n: int = 1000, seed: int = 0, level: float = 0.95
) -> Interval:
    """The percentile interval of the accuracy when pictures are drawn anew, `n` times."""
    weights = resampled(len(targets), n, seed)
    return interval(weights @ _correct(probabilities, targets) / len(targets), level)


def accuracy_difference(
    a: Floats,
    b: Floats,
    targets: Integers,
    n: int = 1000,
    seed: int = 0,
    *,
    groups: Integers | None = None,
) -> Difference:
    """accuracy(a) - accuracy(b) on the same pictures; the bootstrap draws each for both.

    `groups` [n], 0..G-1, are drawn as a whole where pictures of one belong together, as crops of a
    frame do (cluster bootstrap; Davison and Hinkley 1997, "Bootstrap Methods", section 3.8).
    """
    gain = _correct(a, targets) - _correct(b, targets)
    among = np.arange(len(targets)) if groups is None else groups
    weights = resampled(int(among.max()) + 1, n, seed)[:, among]
    bounds = interval(weights @ gain / weights.sum(axis=1), LEVEL)
    return Difference(float(gain.mean()), bounds.lo, bounds.hi)


def recall_at_1(embeddings: Floats, identities: Integers) -> float | None:
    """The share of pictures whose nearest other picture shows the same identity, 0..1.

    embeddings [n,D] of unit length, identities [n]. Only pictures of identities that are seen
    twice are asked about; None where there is none.
    """
    near = embeddings @ embeddings.T
    np.fill_diagonal(near, -np.inf)
    _, where, counts = np.unique(identities, return_inverse=True, return_counts=True)
    asked = counts[where] > 1
    if not asked.any():
        return None
    return float((identities[near.argmax(axis=1)] == identities)[asked].mean())


def _correct(probabilities: Floats, targets: Integers) -> Floats:
    if len(targets) == 0 or len(probabilities) != len(targets):
        raise InputError(
            f"found {len(probabilities)} predictions for {len(targets)} targets; "
            "accuracy needs as many of both, and at least one"
        )
    return np.asarray(probabilities.argmax(axis=1) == targets, dtype=np.float64)


def resampled(pictures: int, n: int, seed: int) -> Floats:
    """How often each picture is drawn, [n,pictures]; each row sums to `pictures`."""
    share = np.full(pictures, 1.0 / pictures)
    drawn = np.random.default_rng(seed).multinomial(pictures, share, size=n)
    return np.asarray(drawn, dtype=np.float64)


def interval(values: Floats, level: float) -> Interval:
    """The percentile interval of drawn values; NaN, where nothing was to be found, is left out."""
    tail = 50.0 * (1.0 - level)
    lo, hi = np.nanpercentile(values, [tail, 100.0 - tail])
    return Interval(float(lo), float(hi))
