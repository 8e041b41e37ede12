"""The assignment is the cheapest one, checked against SciPy's."""

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import linear_sum_assignment

from edge_runtime.streams.assignment import assign

costs = hnp.arrays(
    np.float64,
    st.tuples(st.integers(0, 7), st.integers(0, 7)),
    elements=st.floats(0, 2, width=32),
)


@settings(max_examples=200, deadline=None)
@given(costs, st.floats(0.1, 3))
def test_it_costs_no_more_than_the_best(cost: npt.NDArray[np.float64], limit: float) -> None:
    pairs = assign(cost, limit)
    assert len({r for r, _ in pairs}) == len({c for _, c in pairs}) == len(pairs)
    assert all(cost[r, c] < limit for r, c in pairs)
    if cost.size:
        priced = np.minimum(cost, limit)
        rows, columns = linear_sum_assignment(priced)
        # What stays single pays the limit, so that pairs over it cannot pay.
        single = min(cost.shape) - len(pairs)
        ours = sum(cost[r, c] for r, c in pairs) + single * limit
        assert np.isclose(ours, priced[rows, columns].sum())


def test_a_pair_over_the_limit_displaces_nobody() -> None:
    cost = np.array([[0.1, 0.7], [0.2, 5.0]])
    assert assign(cost, 1.0) == [(0, 1), (1, 0)]
    assert assign(cost, 0.5) == [(0, 0)]
