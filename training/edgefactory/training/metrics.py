"""How good decisions are: AP50 for detections, accuracy for classes, each with its bootstrap.

Average precision is the area under the precision envelope (all-point interpolation, as Pascal VOC
since 2010), averaged over the classes that the truth holds. Matching is greedy by falling score,
each detection to the free truth box of the highest IoU (as COCO). A detection of which at least
the IoU threshold's share lies inside an *ignore* box, and that matches no truth box, counts
neither way.

Matching depends on one picture alone, so it is done once; a bootstrap only reweights pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_runtime.contract import iou_matrix
from edgefactory.datasets.errors import InputError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
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


@dataclass(frozen=True)
class _Matched:
    """One class over all pictures: detections by falling score, and truth boxes a picture."""

    hits: Booleans
    picture: Integers
    truths: Integers


def ap50(
    predictions: Sequence[Detections], truths: Sequence[Truth], threshold: float = 0.5
) -> float:
    """Mean over classes of the average precision at IoU `threshold`, in 0..1.

    Picture i of `predictions` is picture i of `truths`. Raises InputError if their numbers differ
    or the truth holds no box to find.
    """
    pictures = len(truths)
    value = float(_aps(_match(predictions, truths, threshold), np.ones((1, pictures)))[0])
    if np.isnan(value):
        raise InputError("the truth holds no box to find; AP50 needs at least one")
    return value


def ap50_bootstrap(
    predictions: Sequence[Detections],
    truths: Sequence[Truth],
    n: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """The percentile interval of AP50 when pictures are drawn anew, `n` times."""
    weights = resampled(len(truths), n, seed)
    return _interval(_aps(_match(predictions, truths, 0.5), weights), level)


def ap50_difference(
    a: Sequence[Detections],
    b: Sequence[Detections],
    truths: Sequence[Truth],
    n: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Difference:
    """AP50(a) - AP50(b) on the same pictures; the bootstrap draws each picture for both."""
    weights = resampled(len(truths), n, seed)
    drawn = _aps(_match(a, truths, 0.5), weights) - _aps(_match(b, truths, 0.5), weights)
    bounds = _interval(drawn, level)
    return Difference(ap50(a, truths) - ap50(b, truths), bounds.lo, bounds.hi)


def accuracy(probabilities: Floats, targets: Integers) -> float:
    """The share of pictures whose most probable class [n,C] is the target [n]."""
    return float(_correct(probabilities, targets).mean())


def accuracy_bootstrap(
    probabilities: Floats, targets: Integers, n: int = 1000, seed: int = 0, level: float = 0.95
) -> Interval:
    """The percentile interval of the accuracy when pictures are drawn anew, `n` times."""
    weights = resampled(len(targets), n, seed)
    return _interval(weights @ _correct(probabilities, targets) / len(targets), level)


def accuracy_difference(
    a: Floats,
    b: Floats,
    targets: Integers,
    n: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Difference:
    """accuracy(a) - accuracy(b) on the same pictures; the bootstrap draws each for both."""
    gain = _correct(a, targets) - _correct(b, targets)
    weights = resampled(len(targets), n, seed)
    bounds = _interval(weights @ gain / len(targets), level)
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


def _interval(values: Floats, level: float) -> Interval:
    tail = 50.0 * (1.0 - level)
    lo, hi = np.nanpercentile(values, [tail, 100.0 - tail])
    return Interval(float(lo), float(hi))


def _match(
    predictions: Sequence[Detections], truths: Sequence[Truth], threshold: float
) -> list[_Matched]:
    if len(predictions) != len(truths):
        raise InputError(
            f"found predictions for {len(predictions)} pictures and truth for {len(truths)}; "
            "they must be the same pictures in the same order"
        )
    classes = sorted({int(c) for t in truths for c in t.labels[~t.ignore]})
    return [_match_class(predictions, truths, threshold, c) for c in classes]


def _match_class(
    predictions: Sequence[Detections], truths: Sequence[Truth], threshold: float, label: int
) -> _Matched:
    scores: list[float] = []
    hits: list[bool] = []
    picture: list[int] = []
    counts = np.zeros(len(truths), dtype=np.int64)
    for index, (found, truth) in enumerate(zip(predictions, truths, strict=True)):
        mine = found.labels == label
        wanted = truth.boxes[(truth.labels == label) & ~truth.ignore]
        ignored = truth.boxes[(truth.labels == label) & truth.ignore]
        order = np.argsort(-found.scores[mine], kind="stable")
        counts[index] = len(wanted)
        verdicts = _match_picture(found.boxes[mine][order], wanted, ignored, threshold)
        for score, verdict in zip(found.scores[mine][order], verdicts, strict=True):
            if verdict is not None:
                scores.append(float(score))
                hits.append(verdict)
                picture.append(index)
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    return _Matched(
        np.asarray(hits, dtype=np.bool_)[order],
        np.asarray(picture, dtype=np.int64)[order],
        counts,
    )


def _match_picture(
    boxes: Floats, wanted: Floats, ignored: Floats, threshold: float
) -> list[bool | None]:
    """For each box, best first: a hit, a false alarm, or None where it counts neither way."""
    overlaps = iou_matrix(boxes.astype(np.float32), wanted.astype(np.float32))
    free = np.ones(len(wanted), dtype=np.bool_)
    verdicts: list[bool | None] = []
    for row, covered in zip(overlaps, _covered(boxes, ignored), strict=True):
        candidates = np.where(free, row, -1.0)
        best = int(candidates.argmax()) if len(candidates) else -1
        if best >= 0 and candidates[best] >= threshold:
            free[best] = False
            verdicts.append(True)
        else:
            verdicts.append(None if covered >= threshold else False)
    return verdicts


def _aps(matched: Sequence[_Matched], weights: Floats) -> Floats:
    """Mean AP for each row of picture weights [n,pictures]; NaN where no truth box was drawn."""
    if not matched:
        return np.full(len(weights), np.nan)
    per_class = np.stack([_ap(m, weights) for m in matched])
    known = ~np.isnan(per_class)
    total = np.where(known, per_class, 0.0).sum(axis=0)
    count = known.sum(axis=0)
    return ratio(total, count, np.nan)


def _ap(matched: _Matched, weights: Floats) -> Floats:
    wanted = weights @ matched.truths
    if len(matched.hits) == 0:
        return np.where(wanted > 0, 0.0, np.nan)
    drawn = weights[:, matched.picture]
    hits = np.cumsum(drawn * matched.hits, axis=1)
    seen = np.cumsum(drawn, axis=1)
    precision = ratio(hits, seen, 0.0)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    gained = (drawn * matched.hits * envelope).sum(axis=1)
    return ratio(gained, wanted, np.nan)


def ratio(part: Floats, whole: npt.NDArray[Any], otherwise: float) -> Floats:
    """part / whole, and `otherwise` where whole is 0."""
    made: Floats = np.full(part.shape, otherwise)
    np.divide(part, whole, out=made, where=whole > 0)
    return made


def _covered(boxes: Floats, regions: Floats) -> Floats:
    """The largest share of each box [n,4] that lies inside one of the regions [m,4]."""
    low = np.maximum(boxes[:, None, :2], regions[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], regions[None, :, 2:])
    inside = np.maximum(high - low, 0.0).prod(axis=2).max(axis=1, initial=0.0)
    area = np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0).prod(axis=1)
    return ratio(inside, area, 0.0)
