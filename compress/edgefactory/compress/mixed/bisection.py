"""Which mixture to try next: where the noise should be low enough, in hardly more steps than a
bisection takes.

Layers are ranked, the noisiest first; mixture k leaves the first k of n in float. Looked for is the
smallest k that is good, taking it that more float is never worse. What is lost is taken to grow
with the noise: a mixture that loses three times its margin is followed by the one whose layers in
INT8 have a third of its noise. What was tried bounds the search, and a step is moved until what is
left can be bisected in the steps that are left: at most ceil(log2(n)) + 1 after mixture 0, so a
prediction that is wrong costs one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Bounds:
    """The smallest good mixture is above `bad` and at most `good`; `left` steps are enough.

    `excess`: how often over its margin mixture `bad` loses, above 1; infinite for a margin of 0.
    """

    bad: int
    good: int
    left: int
    excess: float

    @property
    def found(self) -> bool:
        """Whether there is nothing between."""
        return self.good - self.bad <= 1

    def after(self, k: int, excess: float) -> Bounds:
        """What is known when mixture `k` was tried; one with an `excess` of at most 1 is good."""
        if excess <= 1:
            return replace(self, good=k, left=self.left - 1)
        return replace(self, bad=k, left=self.left - 1, excess=excess)


def all_int8_failed(layers: int, excess: float) -> Bounds:
    """What is known of `layers` layers, from 1 on, when mixture 0 is bad: all in float is good."""
    return Bounds(0, layers, math.ceil(math.log2(layers)) + 1, excess)


def next_mixture(bounds: Bounds, noises: Sequence[float]) -> int:
    """The mixture to try next, where nothing is found yet; `noises` [n] of the layers, from 0 on,
    the largest first."""
    residual = np.append(np.cumsum(np.asarray(noises, np.float64)[::-1])[::-1], 0.0)
    enough = residual[bounds.bad] / bounds.excess
    predicted = int(np.argmax(residual <= enough))  # the last one, of noise 0, is always enough
    if math.isinf(bounds.excess):
        predicted = (bounds.bad + bounds.good) // 2
    room: int = 2 ** (bounds.left - 1)  # what the steps after this one can bisect
    inside = min(max(predicted, bounds.bad + 1), bounds.good - 1)
    return min(max(inside, bounds.good - room), bounds.bad + room)
