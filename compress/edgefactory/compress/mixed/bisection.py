"""Which mixture to try next: a bisection of the noise, never longer than one of the layers.

Layers are ranked, the noisiest first; mixture k leaves the first k of n in float. Looked for is the
smallest k that is good, taking it that more float is never worse. Where the limit on noise lies is
unknown, and taken to be equally likely in each factor between the noise of all layers and that of
the last one; so the next mixture is the one whose noise is the geometric mean of those of the two
bounds. That finds a few bad layers in two or three steps. It could also take n steps, so a step is
moved until what is left can be bisected in the steps that are left: at most ceil(log2(n)) steps
after the first, which is mixture 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

_FAINT = 1e-12  # of the whole noise: layers below do not matter
_TINY = 1e-300


@dataclass(frozen=True)
class Bounds:
    """The smallest good mixture is above `bad` and at most `good`; `left` steps are enough."""

    bad: int
    good: int
    left: int

    @property
    def found(self) -> bool:
        """Whether there is nothing between."""
        return self.good - self.bad <= 1

    def after(self, k: int, good: bool) -> Bounds:
        """What is known when mixture `k` was tried."""
        moved = replace(self, good=k) if good else replace(self, bad=k)
        return replace(moved, left=self.left - 1)


def all_int8_failed(layers: int) -> Bounds:
    """What is known of `layers` layers, from 1 on, when mixture 0 is bad: all in float is good."""
    return Bounds(0, layers, math.ceil(math.log2(layers)))


def next_mixture(bounds: Bounds, noises: Sequence[float]) -> int:
    """The mixture to try next, where nothing is found yet; `noises` [n] of the layers, from 0 on,
    the largest first."""
    residual = np.append(np.cumsum(np.asarray(noises, np.float64)[::-1])[::-1], 0.0)
    logarithms = np.log(np.maximum(residual, max(residual[0] * _FAINT, _TINY)))
    middle = (logarithms[bounds.bad] + logarithms[bounds.good]) / 2
    between = range(bounds.bad + 1, bounds.good)
    wanted = min(between, key=lambda k: abs(float(logarithms[k] - middle)))
    room: int = 2 ** (bounds.left - 1)  # what the steps after this one can bisect
    return min(max(wanted, bounds.good - room), bounds.bad + room)
