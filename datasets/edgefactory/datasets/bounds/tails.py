"""How likely so few wrong labels in the sample are, were more of them wrong than is allowed.

Both functions give a p-value of the hypothesis "more than `allowed` of the labels are wrong" about
a finite pool of pictures, of which some were drawn at random without replacement: when the
hypothesis is true, the p-value is at most u with probability at most u, for every u. Nothing is
assumed of the machine, its scores, or how its errors lie.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

# What the first bets suppose, until the sample itself says better: any values are valid.
_SUPPOSED_RATE: Final = 0.25  # of wrong labels, as a share of the rate that is allowed
_SUPPOSED_PICTURES: Final = 20  # that the supposition weighs as much as
_LARGEST_BET: Final = 0.95  # of the bet that the worst picture would ruin
_TINY: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Pool:
    """The labels from each of T thresholds on, in all `pictures` of the pool."""

    pictures: int
    labels: Integers  # [T]
    most: Integers  # [T], in one picture
    allowed: Integers  # [T], how many wrong ones the hypotheses allow


def p_values(pool: Pool, labels: Floats, wrong: Floats) -> Floats:
    """p-values [T] from the sample's `labels` [n,T] and `wrong` ones [n,T], a row a picture.

    The rows are in the order of the draw. Exact where no picture holds two labels.
    """
    if not len(labels):
        return np.ones(len(pool.labels))
    single = pool.most <= 1
    found = np.ones(len(single))
    if single.any():
        found[single] = _hypergeometric(_only(pool, single), labels[:, single], wrong[:, single])
    if not single.all():
        found[~single] = _betting(_only(pool, ~single), labels[:, ~single], wrong[:, ~single])
    return found


def _only(pool: Pool, which: NDArray[np.bool_]) -> Pool:
    return Pool(pool.pictures, pool.labels[which], pool.most[which], pool.allowed[which])


def _hypergeometric(pool: Pool, labels: Floats, wrong: Floats) -> Floats:
    """The exact tail: given how many of the labels were drawn, which ones is chance alone.

    P(X <= wrong) for X hypergeometric with allowed + 1 wrong ones among all labels; with more wrong
    ones the tail only gets smaller.
    """
    from scipy.stats import hypergeom

    drawn, bad = np.rint(labels.sum(axis=0)), np.ceil(wrong.sum(axis=0) - 1e-9)
    tail: Floats = hypergeom.cdf(bad, pool.labels, pool.allowed + 1, drawn)
    return tail


def _betting(pool: Pool, labels: Floats, wrong: Floats) -> Floats:
    """One over the most that a player owned who bets against the hypothesis, picture by picture.

    A picture's loss is x = wrong - r labels, with r the rate that the hypothesis allows: at most
    (1 - r) times the most labels in a picture. Without replacement the mean of what is left is m =
    (total - losses so far) / pictures left, at least, if the hypothesis is true; so a stake that
    is multiplied by 1 + bet (m - x), with a bet chosen before x is seen and never ruinous, is a
    non-negative supermartingale, and by Ville's inequality it exceeds 1/u at any time with
    probability u at most. Waudby-Smith and Ramdas, "Estimating means of bounded random variables
    by betting" (JRSS B 2024), section 5; the bets follow their approximate growth-rate-adaptive
    (aGRAPA) rule, which is near the best where pictures differ little.
    """
    rate = (pool.allowed + 1) / pool.labels
    losses = wrong - rate * labels
    left = np.maximum(pool.pictures - np.arange(len(losses) + 1), _TINY)[:, None]
    # The hypothesis' total is 0: allowed + 1 wrong ones, minus rate times all labels.
    mean = -np.vstack([np.zeros(len(rate)), np.cumsum(losses, axis=0)]) / left
    room = (1 - rate) * pool.most - mean
    impossible = (room < -_TINY).any(axis=0)  # not even if all that is left were at its worst
    mean, room = mean[:-1], np.maximum(room[:-1], _TINY)
    bets = np.minimum(_bets(losses, mean, pool), _LARGEST_BET / room)
    stake = np.cumsum(np.log1p(bets * (mean - losses)), axis=0).max(axis=0)
    return np.where(impossible, 0.0, np.exp(-np.maximum(stake, 0.0)))


def _bets(losses: Floats, mean: Floats, pool: Pool) -> Floats:
    """Bets [n,T] from what was seen before each picture: expected gain over its mean square."""
    rate = (pool.allowed + 1) / pool.labels
    typical = pool.labels / pool.pictures
    supposed = (_SUPPOSED_RATE - 1) * rate * typical
    square = _SUPPOSED_RATE * rate * typical + supposed**2
    weight = _SUPPOSED_PICTURES + np.arange(len(losses))[:, None]
    seen = np.vstack([np.zeros(len(rate)), np.cumsum(losses, axis=0)[:-1]])
    squares = np.vstack([np.zeros(len(rate)), np.cumsum(losses**2, axis=0)[:-1]])
    expected = (_SUPPOSED_PICTURES * supposed + seen) / weight
    spread = (_SUPPOSED_PICTURES * square + squares) / weight
    gap = mean - expected
    variance = np.maximum(spread - expected**2, 0.0)
    bets: Floats = np.maximum(gap, 0.0) / np.maximum(variance + gap**2, _TINY)
    return bets
