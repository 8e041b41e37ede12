"""When a site asks next: spread over the interval, patient after failures, obedient to servers."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.daemon.polling import (
    LONGEST_SILENCE_S,
    Pace,
    after_failure,
    phase,
    until_next,
)

PACE = Pace(interval=900.0, first=30.0, longest=3600.0)
DRAWS = st.floats(0, 1, exclude_max=True)
NOWS = st.floats(0, 4e9)


@given(st.text(max_size=20), NOWS, st.floats(1, 86400))
def test_the_next_poll_lies_within_one_interval(site: str, now: float, interval: float) -> None:
    assert 0 < until_next(Pace(interval), site, now) <= interval


@given(st.text(max_size=20), NOWS)
def test_a_site_polls_at_its_own_point_of_every_interval(site: str, now: float) -> None:
    at = (now + until_next(PACE, site, now)) % PACE.interval
    away = abs(at - phase(site, PACE.interval))
    assert min(away, PACE.interval - away) < 1e-3


def test_16000_sites_that_start_together_ask_evenly() -> None:
    waits = [until_next(PACE, f"branch-{number:05}", 1.8e9) for number in range(16000)]
    minutes, _ = np.histogram(waits, bins=15, range=(0, 900))
    expected = 16000 / 15  # ± 5 standard deviations
    assert np.all(np.abs(minutes - expected) < 5 * expected**0.5)


@given(st.integers(1, 10_000), DRAWS)
def test_a_wait_after_failures_stays_under_its_bound(failures: int, draw: float) -> None:
    wait = after_failure(PACE, failures, 0.0, draw)
    assert 0 <= wait <= min(PACE.longest, PACE.first * 2.0 ** min(failures - 1, 32))


@pytest.mark.parametrize(
    ("failures", "bound"), [(1, 30), (2, 60), (3, 120), (7, 1920), (8, 3600), (100, 3600)]
)
def test_the_bound_doubles_up_to_the_longest(failures: int, bound: float) -> None:
    assert after_failure(PACE, failures, 0.0, 0.5) == bound / 2


@given(st.integers(1, 100), st.floats(0, 1e12), DRAWS)
def test_what_the_server_asks_for_is_waited_but_never_for_more_than_a_day_and_a_half(
    failures: int, asked: float, draw: float
) -> None:
    wait = after_failure(PACE, failures, asked, draw)
    assert wait >= min(asked, LONGEST_SILENCE_S)
    assert wait <= 1.5 * LONGEST_SILENCE_S


@pytest.mark.parametrize("minutes", [1, 15, 600])
def test_after_an_outage_sites_come_back_at_six_times_the_usual_rate_at_most(minutes: int) -> None:
    """16,000 sites that find no server for some minutes, in the ten seconds that are worst then."""
    rng, end = random.Random(0), 1.8e9 + minutes * 60.0
    arrivals = []
    for number in range(16000):
        site = f"branch-{number:05}"
        now, failures = 1.8e9 + until_next(PACE, site, 1.8e9), 0
        while now < end:
            failures += 1
            now += after_failure(PACE, failures, 0.0, rng.random())
        arrivals += [now, now + until_next(PACE, site, now)]
    a_window, _ = np.histogram(arrivals, bins=90, range=(end, end + 900))
    assert a_window.max() < 6 * 10 * 16000 / PACE.interval
