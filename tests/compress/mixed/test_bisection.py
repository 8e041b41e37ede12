"""Which mixture is tried next: in hardly more steps than a bisection, whatever is lost where."""

import math

from hypothesis import given
from hypothesis import strategies as st

from edgefactory.compress.mixed.bisection import Bounds, all_int8_failed, next_mixture

noises = st.lists(st.floats(0.0, 1e6), min_size=1, max_size=80).map(
    lambda values: sorted(values, reverse=True)
)
excesses = st.one_of(st.floats(1.001, 1e6), st.just(math.inf))


@given(noises, st.data())
def test_the_smallest_good_mixture_is_found_in_one_step_more_than_a_bisection_takes(
    values: list[float], data: st.DataObject
) -> None:
    least = data.draw(st.integers(1, len(values)))
    bounds = all_int8_failed(len(values), data.draw(excesses))
    steps = 0
    while not bounds.found:
        k = next_mixture(bounds, values)
        assert bounds.bad < k < bounds.good
        excess = data.draw(st.floats(-1.0, 1.0)) if k >= least else data.draw(excesses)
        bounds = bounds.after(k, excess)
        steps += 1
    assert bounds.good == least
    assert steps <= math.ceil(math.log2(len(values))) + 1


def test_a_loss_of_three_margins_asks_for_a_third_of_the_noise() -> None:
    assert next_mixture(Bounds(0, 8, 4, 3.0), [8.0, 4.0, 2.0, 1.0, 0.5, 0.3, 0.2, 0.1]) == 2


def test_where_the_margin_is_nothing_the_middle_is_tried() -> None:
    assert next_mixture(Bounds(0, 8, 4, math.inf), [8.0, 4.0, 2.0, 1.0, 0.5, 0.3, 0.2, 0.1]) == 4


def test_a_step_leaves_no_more_than_the_rest_can_bisect() -> None:
    layers = [1.0] * 8
    assert next_mixture(Bounds(0, 8, 4, 1.001), layers) == 1  # what the loss alone asks for
    assert next_mixture(Bounds(0, 8, 3, 1.001), layers) == 4
