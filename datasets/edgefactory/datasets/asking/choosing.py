"""Which pictures of a pool to ask about: those that stand for much that is not known yet.

Greedy facility location (Wei, Iyer and Bilmes, "Submodularity in Data Subset Selection and Active
Learning", ICML 2015): a picture is worth the more, the more unsure pictures look like it that
nothing asked before looks like. Two things are added. A picture that has many like it counts for
as much as one that is alone: a camera sends the same view a thousand times, and that does not make
it important. And what is gained is multiplied by the picture's own worth, so that a person sees the
unsure picture and not a sure one beside it.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# All lengths are shares of the root mean square distance between two pictures of the pool.
_LIKE: Final = 0.5  # e-fold width of what a picture stands for
_CROWD: Final = 0.3  # and of the neighbourhood in which pictures share one picture's weight
NEAR: Final = 0.05  # pictures closer than this are the same to a person


@dataclass(frozen=True, slots=True)
class Choice:
    """A picture of the pool, by its index, and what asking about it gains (0 and up)."""

    index: int
    gain: float


def choose(pool: Floats, worth: Floats, seen: Floats, count: int) -> list[Choice]:
    """At most `count` pictures of `pool`, the most useful first.

    `pool` f32 [n,D] and `seen` f32 [m,D] are embeddings, of the pictures that can be asked about
    and of those that people have looked at; `worth` f32 [n], 0..1, says how unsure each is. A
    picture that is nearly the same as one seen or chosen is left out, so there may be fewer than
    `count`. Time and memory grow with n * (n + m).
    """
    if not len(pool) or count < 1:
        return []
    distance = distances(pool, pool)
    scale = _scale(distance)
    like = np.exp(-np.square(distance / (_LIKE * scale)))
    crowd = np.exp(-np.square(distance / (_CROWD * scale))).sum(axis=1)
    nearest = _nearest(pool, seen)
    search = _Search(like, worth, worth / crowd, np.exp(-np.square(nearest / (_LIKE * scale))))
    chosen: list[Choice] = []
    while len(chosen) < count and (best := search.next(nearest > NEAR * scale)) is not None:
        chosen.append(best)
        nearest = np.minimum(nearest, distance[best.index])
    return chosen


class _Search:
    """Greedy search with lazy gains (Minoux 1978): a gain only ever falls, so one that is the
    greatest after it was computed anew needs no look at the others."""

    def __init__(self, like: Floats, worth: Floats, weight: Floats, covered: Floats):
        self._like, self._worth, self._weight, self._covered = like, worth, weight, covered
        gains = worth * (weight @ np.maximum(like - covered[:, None], 0))
        self._heap = [(-float(gain), index) for index, gain in enumerate(gains)]
        heapq.heapify(self._heap)

    def next(self, allowed: NDArray[np.bool_]) -> Choice | None:
        """The picture that gains most among those allowed, and from now on is covered."""
        while self._heap:
            _, index = heapq.heappop(self._heap)
            if not allowed[index]:
                continue
            gain = self._gain(index)
            if self._heap and gain < -self._heap[0][0]:
                heapq.heappush(self._heap, (-gain, index))
                continue
            self._covered = np.maximum(self._covered, self._like[index])
            return Choice(index, gain)
        return None

    def _gain(self, index: int) -> float:
        more = np.maximum(self._like[index] - self._covered, 0)
        return float(self._worth[index] * (self._weight @ more))


def distances(a: Floats, b: Floats) -> Floats:
    """Euclidean distances of each row of `a` [n,D] to each of `b` [m,D]: f32 [n,m]."""
    square = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1)[None, :] - 2 * (a @ b.T)
    found: Floats = np.sqrt(np.maximum(square, 0)).astype(np.float32)
    return found


def _nearest(pool: Floats, seen: Floats) -> Floats:
    """Of each picture of the pool, the distance to the nearest one that was seen."""
    if not len(seen):
        return np.full(len(pool), np.inf, np.float32)
    nearest: Floats = distances(pool, seen).min(axis=1)
    return nearest


def _scale(distance: Floats) -> float:
    """The root mean square distance of two pictures; 1 where all are the same.

    Not the median: where a camera sends the same view most of the time, that is mere noise.
    """
    mean = float(np.square(distance).mean(dtype=np.float64))
    return math.sqrt(mean) if mean > 0 else 1.0
