"""Which pictures a bisection looks at: those where it shows most, and some others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from edgefactory.compress.parity.pairing import Paired

MOST: Final = 16
_WORST: Final = 10


def telling(pairs: Sequence[Paired], most: int = MOST) -> list[int]:
    """The places of up to `most` pictures: the worst first, then others spread over the rest."""
    ranked = sorted(range(len(pairs)), key=lambda at: -pairs[at].weight)
    worst = [at for at in ranked[:_WORST] if pairs[at].changed]
    rest = [at for at in range(len(pairs)) if at not in worst]
    count = min(most - len(worst), len(rest))
    return worst + [rest[at * len(rest) // count] for at in range(count)]
