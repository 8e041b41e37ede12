"""Values under many draws of the pictures become one figure with its interval.

Weights [1+B,n] say how often each of n units (pictures, or identities) is drawn: row 0 holds ones,
so that a value computed for all rows has its point value first and the bootstrap behind it.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from edgefactory.training.evaluation.document import Measure
from edgefactory.training.metrics import Floats, resampled

LEVEL: Final = 0.95


def drawn(units: int, draws: int, seed: int) -> Floats:
    """Weights [1+draws,units]: ones, then as many draws with replacement."""
    return np.vstack([np.ones((1, units)), resampled(units, draws, seed)])


def measure(
    values: Floats, n: int, units: int | None, why: str = "nothing to measure it on"
) -> Measure:
    """The figure of `values` [1+B] with the bootstrap's percentile interval.

    `n` is what it rests on (boxes, pictures). NaN is no value, and `why` then says so. Where a
    share is 0 or 1, all draws agree and say nothing; its interval is then that of Clopper and
    Pearson (1934) for `units` trials, the pictures that were drawn from. None: it is no share.
    """
    value = float(values[0])
    if np.isnan(value):
        return Measure(n, why=why)
    known = values[1:][~np.isnan(values[1:])]
    if not len(known):
        return Measure(n, value)
    if units and value in (0.0, 1.0) and np.all(known == value):
        end = ((1 - LEVEL) / 2) ** (1 / units)
        return Measure(n, value, (end, 1.0) if value else (0.0, 1.0 - end))
    tail = 50 * (1 - LEVEL)
    low, high = np.percentile(known, [tail, 100 - tail])
    return Measure(n, value, (float(low), float(high)))
