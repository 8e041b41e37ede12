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
LEAST_UNITS: Final = 5  # drawn from, for an interval


def drawn(units: int, draws: int, seed: int) -> Floats:
    """Weights [1+draws,units]: ones, then as many draws with replacement."""
    return np.vstack([np.ones((1, units)), resampled(units, draws, seed)])


def measure(
    values: Floats,
    n: int,
    units: int,
    why: str = "nothing to measure it on",
    event: float | None = None,
) -> Measure:
    """The figure of `values` [1+B] with the bootstrap's percentile interval.

    `n` is what it rests on (boxes, pictures), `units` how many were drawn from (pictures,
    identities); fewer than `LEAST_UNITS` say nothing of the spread. NaN is no value, and `why` then
    says so. Where nothing went wrong, or nothing right, all draws agree and say nothing either: the
    interval of a share is then that of Clopper and Pearson (1934) for `units` trials, and that of a
    sum over a unit, to which one `event` adds so much, that of Garwood (1936).
    """
    value = float(values[0])
    if np.isnan(value):
        return Measure(n, why=why)
    known = values[1:][~np.isnan(values[1:])]
    if units < LEAST_UNITS or not len(known):
        return Measure(n, value, why=f"no interval from {units}; {LEAST_UNITS} are needed")
    tail = (1 - LEVEL) / 2
    if value == 0.0 and np.all(known == 0.0):
        end = 1 - tail ** (1 / units) if event is None else -event * np.log(tail) / units
        return Measure(n, value, (0.0, float(end)))
    if value == 1.0 and event is None and np.all(known == 1.0):
        return Measure(n, value, (float(tail ** (1 / units)), 1.0))
    low, high = np.percentile(known, [100 * tail, 100 * (1 - tail)])
    return Measure(n, value, (float(low), float(high)))
