"""Whether two pictures show the same: over all pairs, by how alike their embeddings are.

The true accept rate (TAR) at a false accept rate (FAR), the equal error rate, and the area under
the ROC curve. By the rule of 30 (Doddington et al. 2000) a rate is only told where 30 errors are to
be expected.

The bootstrap draws identities: what is drawn w_i times counts w_i times in its own pairs, and
w_i w_j times in those with what is drawn w_j times (Bolle, Ratha and Pankanti 2004 draw persons for
the same reason: pairs that share one are not independent).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from edgefactory.training.evaluation.document import Curve, Measure
from edgefactory.training.evaluation.resampling import drawn, measure
from edgefactory.training.evaluation.subject import Judging
from edgefactory.training.metrics import Booleans, Floats, Integers

FARS: Final = {"tar_at_far_1e-2": 1e-2, "tar_at_far_1e-3": 1e-3}
RULE: Final = 30  # errors to be expected
MOST_PAIRS: Final = 200_000  # of the same, and of different identities; drawn at random beyond
_CELLS: Final = 4_000_000  # of draws x pairs that are in memory at once
_POINTS: Final = 200


@dataclass(frozen=True)
class Pairs:
    """Pairs by falling likeness [k], the two identities of each [k,2]; `last` of equal ones [k]."""

    likeness: Floats
    identities: Integers
    last: Booleans

    @property
    def same(self) -> Booleans:
        """Whether both are of one identity [k]."""
        return np.asarray(self.identities[:, 0] == self.identities[:, 1], np.bool_)


@dataclass(frozen=True)
class Rates:
    """FAR and TAR [B,t] at each distinct likeness as threshold, for B draws."""

    far: Floats
    tar: Floats

    def tar_at(self, far: float) -> Floats:
        """TAR [B] at the last threshold whose FAR is at most `far`."""
        place = (self.far <= far).sum(axis=1) - 1
        found = self.tar[np.arange(len(place)), np.maximum(place, 0)]
        return np.where(place >= 0, found, 0.0)

    def eer(self) -> Floats:
        """The mean of FAR and 1 - TAR [B] where they are nearest to each other."""
        gap = np.abs(self.far - (1 - self.tar))
        row, place = np.arange(len(gap)), gap.argmin(axis=1)
        return np.asarray((self.far[row, place] + 1 - self.tar[row, place]) / 2, np.float64)

    def auc(self) -> Floats:
        """Area under TAR over FAR [B]: the chance that a same pair is more alike than another."""
        width = np.diff(self.far, axis=1, prepend=0.0)
        before = np.hstack([np.zeros((len(self.tar), 1)), self.tar[:, :-1]])
        return np.asarray((width * (self.tar + before) / 2).sum(axis=1), np.float64)


def verify(
    vectors: Floats, identities: Integers, judging: Judging
) -> tuple[dict[str, Measure], Curve | None]:
    """The figures over all pairs of `vectors` [n,D] of unit length, and the ROC curve."""
    found = all_pairs(vectors, identities, judging.seed)
    few, many = int(found.same.sum()), int((~found.same).sum())
    if not few or not many:
        none = Measure(few + many, why=f"{few} pairs of the same, {many} of different identities")
        return dict.fromkeys((*FARS, "eer", "auc"), none), None
    kinds = np.unique(identities)
    weights = np.zeros((judging.draws + 1, int(kinds.max()) + 1))
    weights[:, kinds] = drawn(len(kinds), judging.draws, judging.seed)
    values: dict[str, list[Floats]] = {name: [] for name in (*FARS, "eer", "auc")}
    step = max(1, _CELLS // len(found.likeness))
    for start in range(0, len(weights), step):
        got = rates(found, weights[start : start + step])
        for name, far in FARS.items():
            values[name].append(got.tar_at(far))
        values["eer"].append(got.eer())
        values["auc"].append(got.auc())
    figures = {}
    for name, parts in values.items():
        needed = int(RULE / FARS.get(name, 1.0))
        if many < needed or few < RULE:
            why = f"{few} pairs of the same and {many} of different; {RULE} and {needed} are needed"
            figures[name] = Measure(few + many, why=why)
        else:
            figures[name] = measure(np.concatenate(parts), few + many, len(kinds))
    return figures, _roc(rates(found, weights[:1]))


def rates(found: Pairs, weights: Floats) -> Rates:
    """FAR and TAR of the pairs for weights [B,K] of the identities; NaN where none was drawn."""
    one, other = found.identities.T
    drawn_pairs = np.where(found.same, weights[:, one], weights[:, one] * weights[:, other])
    made = []
    for kind in (~found.same, found.same):
        total = np.cumsum(drawn_pairs * kind, axis=1)
        with np.errstate(invalid="ignore"):
            made.append(total[:, found.last] / total[:, -1:])
    return Rates(*made)


def all_pairs(vectors: Floats, identities: Integers, seed: int) -> Pairs:
    """Every pair of pictures; at most `MOST_PAIRS` of each kind, then drawn at random."""
    generator = np.random.default_rng(seed)
    n = len(vectors)
    if n * (n - 1) // 2 <= 2 * MOST_PAIRS:
        one, other = np.triu_indices(n, 1)
    else:
        one, other = (generator.integers(0, n, 2 * MOST_PAIRS) for _ in range(2))
        mixed = identities[one] != identities[other]
        alike = _same_pairs(identities, generator)
        one = np.concatenate([one[mixed], alike[0]])
        other = np.concatenate([other[mixed], alike[1]])
    same = identities[one] == identities[other]
    kept = np.sort(
        np.concatenate([_some(np.flatnonzero(kind), generator) for kind in (same, ~same)])
    )
    one, other = one[kept], other[kept]
    likeness = np.einsum("kd,kd->k", vectors[one], vectors[other])
    order = np.argsort(-likeness, kind="stable")
    likeness = likeness[order]
    last = np.append(np.diff(likeness) < 0, True)
    return Pairs(likeness, np.stack([identities[one], identities[other]], axis=1)[order], last)


def _same_pairs(identities: Integers, generator: np.random.Generator) -> tuple[Integers, Integers]:
    """Pairs of pictures of one identity: all, or about `MOST_PAIRS`, of each the same share."""
    kinds, sizes = np.unique(identities, return_counts=True)
    pairs = sizes * (sizes - 1) // 2
    share = min(1.0, MOST_PAIRS / max(1, int(pairs.sum())))
    ones, others = [], []
    for kind, size, count in zip(kinds, sizes, pairs, strict=True):
        places = np.flatnonzero(identities == kind)
        if share == 1.0:
            one, other = np.triu_indices(size, 1)
        else:
            some = round(share * int(count))
            one = generator.integers(0, size, some)
            other = (one + generator.integers(1, max(2, size), some)) % size
        ones.append(places[one])
        others.append(places[other])
    return np.concatenate(ones), np.concatenate(others)


def _some(places: Integers, generator: np.random.Generator) -> Integers:
    if len(places) <= MOST_PAIRS:
        return places
    return generator.choice(places, MOST_PAIRS, replace=False)


def _roc(found: Rates) -> Curve:
    """The ROC curve at false accept rates that are evenly spread in their logarithm."""
    far, tar = found.far[0], found.tar[0]
    least = float(far[far > 0].min())
    chosen = np.unique(np.searchsorted(far, np.geomspace(least, 1.0, _POINTS), side="right") - 1)
    return Curve(
        "roc",
        tuple(float(f"{value:.6g}") for value in far[chosen]),
        tuple(round(float(value), 6) for value in tar[chosen]),
    )
