"""How far people agree about the same pictures, with what chance would give taken off.

Everything rests on one distance between two answers, 0 for the same and 1 for nothing in common.
For boxes it is 1 - F: boxes of one class match one to one from an IoU of 0.5 on, and F is twice
the matches by the boxes of both (Hripcsak & Rothschild, JAMIA 2005: where "no object" has no
number, F stands for kappa). For classes of whole pictures the same F is 0 or 1. On the distance

* Cohen's weighted kappa (Psychological Bulletin 70, 1968) compares two people: the mean distance
  on the same picture against the mean over all pairs of pictures;
* Krippendorff's alpha (Computing Krippendorff's Alpha-Reliability, 2011; set-valued answers after
  Passonneau, LREC 2006) compares any number of people with any number of gaps.

A kappa over matched boxes with "nothing" as a class would be near 0 for people who agree in nine
of ten boxes of one class, since "nothing against nothing" never occurs; pictures as units avoid it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from random import Random
from statistics import fmean
from typing import Final

import numpy as np

from edge_runtime.contract import iou_matrix
from edgefactory.datasets.documents import Box

MATCH_IOU: Final = 0.5
_MAX_PAIRS: Final = 10_000  # of pictures, for what chance gives; keeps its error below 0.005

Seen = tuple[tuple[str, Box | None], ...]
"""One person's answer to one picture: classes with boxes in shares of its width and height."""


@dataclass(frozen=True)
class Pair:
    """Two people: pictures that both answered, mean F on them, and kappa.

    `kappa` is None where it is not defined: both said the same everywhere.
    """

    first: str
    second: str
    pictures: int
    f: float
    kappa: float | None


@dataclass(frozen=True)
class Agreement:
    """All people: pictures with two answers or more, alpha (None: not defined), and each pair."""

    pictures: int
    alpha: float | None
    pairs: tuple[Pair, ...]


def agreement(answers: Sequence[Mapping[str, Seen]]) -> Agreement:
    """How far people agree; each of `answers` is one picture's, by who gave them."""
    shared = [said for said in answers if len(said) > 1]
    people = sorted({who for said in shared for who in said})
    pairs = []
    for first, second in combinations(people, 2):
        both = [(said[first], said[second]) for said in shared if first in said and second in said]
        if both:
            pairs.append(_pair(first, second, both))
    return Agreement(len(shared), alpha([list(said.values()) for said in shared]), tuple(pairs))


def alpha(units: Sequence[Sequence[Seen]]) -> float | None:
    """Krippendorff's alpha of `units`, each with the answers that it got.

    Units with fewer than two answers do not count. None where all answers are the same, or
    there are none: chance would agree as well.
    """
    units = [unit for unit in units if len(unit) > 1]
    values = [value for unit in units for value in unit]
    if not values:
        return None
    observed = sum(
        2 * sum(distance(a, b) for a, b in combinations(unit, 2)) / (len(unit) - 1)
        for unit in units
    ) / len(values)
    expected = fmean(distance(values[i], values[j]) for i, j in _two_of(len(values)))
    return 1 - observed / expected if expected else None


def distance(a: Seen, b: Seen) -> float:
    """1 - F of two answers to one picture, 0..1; two empty answers agree."""
    if a == b:
        return 0.0
    if {class_ for class_, _ in a}.isdisjoint(class_ for class_, _ in b):
        return 1.0
    return 1 - 2 * _matches(a, b) / (len(a) + len(b))


def _pair(first: str, second: str, both: Sequence[tuple[Seen, Seen]]) -> Pair:
    observed = fmean(distance(a, b) for a, b in both)
    expected = fmean(distance(both[i][0], both[j][1]) for i, j in _one_of_each(len(both)))
    kappa = 1 - observed / expected if expected else None
    return Pair(first, second, len(both), 1 - observed, kappa)


def _two_of(count: int) -> Iterator[tuple[int, int]]:
    """All pairs of different indices below `count`, or as many drawn ones as are enough."""
    if count * (count - 1) // 2 <= _MAX_PAIRS:
        yield from combinations(range(count), 2)
        return
    random = Random(0)
    for _ in range(_MAX_PAIRS):
        first, second = random.sample(range(count), 2)
        yield first, second


def _one_of_each(count: int) -> Iterator[tuple[int, int]]:
    """All pairs of indices below `count`, an index with itself too, or enough drawn ones."""
    if count * count <= _MAX_PAIRS:
        yield from product(range(count), repeat=2)
        return
    random = Random(0)
    for _ in range(_MAX_PAIRS):
        yield random.randrange(count), random.randrange(count)


def _matches(a: Seen, b: Seen) -> int:
    """The largest number of labels of `a` that match one label each of `b`."""
    from scipy.optimize import linear_sum_assignment

    same = np.array([[left == right for right, _ in b] for left, _ in a])
    left, right = (
        np.array([box or (0, 0, 1, 1) for _, box in seen], np.float32) for seen in (a, b)
    )
    fits = same & (iou_matrix(left, right) >= MATCH_IOU)
    rows, columns = linear_sum_assignment(fits, maximize=True)
    return int(fits[rows, columns].sum())
