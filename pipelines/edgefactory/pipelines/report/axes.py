"""Axes of drawings in HTML: where a value lies, in percent of the width."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """A linear or logarithmic axis from `low` to `high`, with its ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool = False

    def place(self, value: float) -> float:
        """Where `value` lies, in percent of the axis, clipped to it."""
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log10(low), math.log10(high), math.log10(max(value, 1e-9))
        return min(100.0, max(0.0, 100.0 * (value - low) / (high - low)))


def linear(values: list[float]) -> Axis:
    """An axis of few round ticks that holds `values`."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if (high - low) / s <= 4)
    first, last = math.floor(low / step), math.ceil(high / step)
    last = max(last, first + 1)
    ticks = tuple(round(step * k, 4) for k in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], ticks)


def decades(values: list[float]) -> Axis:
    """A logarithmic axis of whole decades that holds `values`."""
    low = math.floor(math.log10(min(values, default=0.1)))
    high = max(math.ceil(math.log10(max(values, default=10.0))), low + 1)
    return Axis(10.0**low, 10.0**high, tuple(10.0**k for k in range(low, high + 1)), log=True)
