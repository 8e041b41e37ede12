"""By how much one model is worse than another, at most: one-sided limits of paired differences.

Both keep their promised level for few pictures, which the percentile bootstrap does not: no picture
of a small sample may show what goes wrong, and then no draw of it does (benchmarks/gate_errors.py:
up to 24% false passes where 5% were promised).

- The difference of two *accuracies* is gains less losses. Each share has Clopper and Pearson's
  exact limit (1934); the limit of the difference is composed of both by squares, with the
  covariance of a multinomial (MOVER: Zou and Donner 2008, "Construction of confidence limits about
  effect measures", Statistics in Medicine 27; Newcombe 1998). Pictures that hang together count as
  so many as their variance is worth (Korn and Graubard 1998).
- The difference of two *APs* is no mean, but its jackknife pseudo-values have one (Miller 1974,
  "The jackknife: a review", Biometrika 61). It is studentized, and the bootstrap says how far the
  studentized mean strays (bootstrap-t: Efron and Tibshirani 1993, section 12.5). Student's limit
  is taken too, and so is what n pictures cannot exclude: that the model is blind in a share of
  1 - alpha^(1/n) of all (about 3 in n), none of which was drawn. The lowest of the three counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from edgefactory.datasets.outcomes.matched import Floats, Integers

DRAWS: Final = 2000
_MOST_UNITS: Final = 400  # beyond, units are left out in groups, not one by one
_LEAST_UNITS: Final = 5  # to know a spread at all
_TINY: Final = 1e-12


@dataclass(frozen=True)
class Lower:
    """A difference, −1..1, and its one-sided lower limit with confidence 1 − alpha."""

    value: float
    limit: float


def accuracy_lower(gains: Floats, units: Integers, alpha: float) -> Lower:
    """For `gains` [n] of pictures: 1 where only the new model is right, −1 where only the old one
    is, else 0. `units` [n], 0..U-1, says which pictures are drawn as one."""
    from scipy.stats import beta

    value = float(gains.mean())
    draws = _worth(gains, units)
    lost, won = (float((gains == side).mean()) for side in (-1.0, 1.0))
    most_lost = float(beta.ppf(1 - alpha, lost * draws + 1, (1 - lost) * draws)) if lost < 1 else 1
    least_won = float(beta.ppf(alpha, won * draws, (1 - won) * draws + 1)) if won > 0 else 0.0
    down, up = most_lost - lost, won - least_won
    both = np.sqrt(lost * won / max((1 - lost) * (1 - won), _TINY))
    return Lower(value, max(-1.0, value - float(np.sqrt(down**2 + up**2 + 2 * both * down * up))))


def statistic_lower(
    difference: Callable[[Floats], Floats], units: int, alpha: float, seed: int = 0
) -> Lower:
    """For any figure's difference [B] under weights [B,units] of what is drawn.

    NaN of a draw is no value. Too few units give the limit −1, which shows nothing.
    """
    whole = float(difference(np.ones((1, units)))[0])
    if units < _LEAST_UNITS:
        return Lower(whole, -1.0)
    pseudo = _pseudo_values(difference, units, whole, seed)
    if pseudo is None:
        return Lower(whole, -1.0)
    error = float(pseudo.std(ddof=1) / np.sqrt(len(pseudo)))
    reach = max(_student(len(pseudo), alpha), _stray(pseudo, alpha, seed)) if error > _TINY else 0.0
    unseen = 1 - alpha ** (1 / units)
    return Lower(whole, max(-1.0, whole - max(reach * error, unseen)))


def _worth(gains: Floats, units: Integers) -> float:
    """How many independent pictures these are worth."""
    count, groups = len(gains), int(units.max()) + 1
    if groups == count:
        return float(count)
    mean = float(gains.mean())
    alone = float(((gains - mean) ** 2).sum())
    sums = np.bincount(units, gains - mean, groups)
    together = float((sums**2).sum()) * groups / max(groups - 1, 1)
    if alone <= _TINY or together <= _TINY:
        return float(groups)
    return float(min(count, max(1.0, count * alone / together)))


def _pseudo_values(
    difference: Callable[[Floats], Floats], units: int, whole: float, seed: int
) -> Floats | None:
    """A value for each unit, or group of units, left out; None where one cannot be spared."""
    groups = min(units, _MOST_UNITS)
    member = np.random.default_rng(seed).permutation(units) % groups
    weights = (member[None] != np.arange(groups)[:, None]).astype(np.float64)
    without = difference(weights)
    if np.isnan(without).any() or np.isnan(whole):
        return None
    return np.asarray(groups * whole - (groups - 1) * without, np.float64)


def _student(count: int, alpha: float) -> float:
    from scipy.stats import t

    return float(t.ppf(1 - alpha, count - 1))


def _stray(pseudo: Floats, alpha: float, seed: int) -> float:
    """The upper quantile of (mean of a draw - mean) / (its standard error)."""
    count = len(pseudo)
    centred = pseudo - pseudo.mean()
    weights = _drawn(count, seed)
    mean = weights @ centred / count
    variance = np.maximum(weights @ centred**2 / count - mean**2, 0.0)
    # A draw without any spread says the worst of what it strays by.
    error = np.maximum(np.sqrt(variance / (count - 1)), _TINY)
    return float(np.quantile(mean / error, 1 - alpha, method="higher"))


@lru_cache(maxsize=4)
def _drawn(count: int, seed: int) -> Floats:
    """How often each value is drawn [DRAWS,count]; kept, as many slices have as many."""
    share = np.full(count, 1.0 / count)
    drawn = np.random.default_rng(seed).multinomial(count, share, size=DRAWS)
    return drawn.astype(np.float64)
