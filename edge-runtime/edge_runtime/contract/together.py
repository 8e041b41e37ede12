"""How a picture's figures go together. The one implementation, for factory and site alike.

Each figure of a picture becomes its rank among the reference's: the middle of its bin, from −√3 to
√3, of mean 0 and spread 1 where bins are fine. A picture is then told by the 21 products of two
ranks, and pictures by their mean product: Spearman's rank correlations, but for the bins. The
squared distance of two such means is the squared maximum mean discrepancy (Gretton et al. 2012,
A kernel two-sample test) of the kernel Σ x_i x_j y_i y_j over the pairs. Figures that go together
otherwise than before are seen, though each alone is distributed as before; three that do so while
every two of them do not, or two whose ranks are related but not correlated, are not seen.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Final

import numpy as np

from edge_runtime.contract.reference import Sketch, Together
from edge_runtime.contract.sketching import DECISIONS, INPUTS, Float64, independent

FIGURES: Final = (*INPUTS, *DECISIONS)
_FIRST, _SECOND = (list(side) for side in zip(*combinations(range(len(FIGURES)), 2), strict=True))


def ranks_of(values: Mapping[str, float], sketches: Sequence[Sketch]) -> tuple[float, ...]:
    """The ranks of a picture's figures among the reference's; `sketches` in the order of
    FIGURES."""
    pairs = zip(FIGURES, sketches, strict=True)
    return tuple(_rank(values[name], sketch) for name, sketch in pairs)


def mean_products(ranks: Float64) -> Float64:
    """The mean product of each pair, f64 [21], over pictures with `ranks` f64 [N,7]."""
    mean: Float64 = (ranks[:, _FIRST] * ranks[:, _SECOND]).mean(axis=0)
    return mean


def worth_of(ranks: Float64) -> float:
    """How many independent pictures a series of `ranks` [N,7] is worth: by the slowest figure."""
    return min(independent(column) for column in ranks.T)


def together_of(ranks: Float64) -> Together:
    """How the figures of the reference's pictures go together, by their `ranks` [N,7] in the order
    of time."""
    products = ranks[:, _FIRST] * ranks[:, _SECOND]
    mean = products.mean(axis=0)
    away = products - mean
    powers = np.linalg.eigvalsh(away.T @ away / len(away)).clip(min=0)
    once, twice, thrice = (float(np.sum(powers**n)) for n in (1, 2, 3))
    return Together(
        means=tuple(round(float(value), 4) for value in mean),
        trace=round(once, 4),
        spread=round((2 * twice) ** 0.5, 4),
        degrees=round(twice**3 / thrice**2, 4) if thrice > 1e-12 else 1.0,
        independent=worth_of(ranks),
    )


def _rank(value: float, sketch: Sketch) -> float:
    place = int(np.searchsorted(sketch.edges, value, side="right"))
    below = sum(sketch.counts[:place]) + sketch.counts[place] / 2
    return float(12**0.5 * (below / sum(sketch.counts) - 0.5))
