"""Which sites take part in a rollout."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.contract import Offer, Rollout, bucket, offered, takes_part
from edge_runtime.contract.rings import BUCKETS

ROLLOUT = Rollout("rollout/1", "cctv", 1, "0" * 64, "releases/cctv/1.0.0/release.json", 0)
SITES = [f"branch-{n:05d}" for n in range(16_000)]


def test_buckets_are_spread_evenly() -> None:
    """χ² of 16,000 sites in 64 cells stays under the 0.1% quantile of 63 degrees of freedom."""
    cells = [0] * 64
    for site in SITES:
        cells[bucket(site, "cctv", 1) * 64 // BUCKETS] += 1
    expected = len(SITES) / 64
    assert sum((found - expected) ** 2 / expected for found in cells) < 103.4


def test_a_bound_takes_in_its_share_and_a_wider_one_keeps_them() -> None:
    def taking(bound: int) -> set[str]:
        rollout = msgspec.structs.replace(ROLLOUT, bound=bound)
        return {site for site in SITES if takes_part(rollout, site, "cpu")}

    one, ten, all_ = taking(BUCKETS // 100), taking(BUCKETS // 10), taking(BUCKETS)
    assert 100 < len(one) < 220
    assert one < ten < all_ == set(SITES)


def test_another_sequence_draws_anew() -> None:
    same = sum(bucket(s, "cctv", 1) // 164 == bucket(s, "cctv", 2) // 164 for s in SITES)
    assert same < 0.03 * len(SITES)


@given(st.text(min_size=1, max_size=64), st.integers(0, 2**40))
def test_a_bucket_is_in_range_and_always_the_same(site: str, sequence: int) -> None:
    assert bucket(site, "cctv", sequence) == bucket(site, "cctv", sequence)
    assert 0 <= bucket(site, "cctv", sequence) < BUCKETS


def test_filters_and_named_sites() -> None:
    named = msgspec.structs.replace(ROLLOUT, sites=("lab-1",), hardware=("cpu",), regions=("n",))
    assert takes_part(named, "lab-1", "cpu", "n")
    assert not takes_part(named, "lab-2", "cpu", "n")
    assert not takes_part(named, "lab-1", "sm86", "n")
    assert not takes_part(named, "lab-1", "cpu", "s")


def test_the_draw_is_part_of_the_format() -> None:
    """Changing it would move sites between rings in the middle of a rollout."""
    assert [bucket(s, "cctv", 1) for s in SITES[:3]] == [12195, 6956, 5264]


NEW = msgspec.structs.replace(ROLLOUT, sequence=5, release="5" * 64, withdrawn=4)
BASE = Offer(3, "3" * 64, "releases/cctv/3.0.0/release.json")


@pytest.mark.parametrize(
    ("within", "paused", "base", "running", "expected"),
    [
        (True, False, None, None, 5),
        (True, False, BASE, 3, 5),
        (True, True, BASE, 5, 5),  # who has it keeps it
        (True, True, BASE, 3, 3),  # who has not does not start
        (True, True, None, 3, None),
        (False, False, BASE, None, 3),  # a new box
        (False, False, BASE, 2, 3),  # one that slept
        (False, False, BASE, 4, 3),  # what was taken back
        (False, True, BASE, 4, 3),
        (False, False, BASE, 5, 5),  # it took part once, and nothing was taken from it
        (False, False, BASE, 6, None),
        (False, False, None, None, None),
        (False, False, None, 2, None),
        (False, False, None, 5, 5),
    ],
)
def test_what_a_site_is_offered(
    within: bool, paused: bool, base: Offer | None, running: int | None, expected: int | None
) -> None:
    rollout = msgspec.structs.replace(NEW, paused=paused, base=base)
    offer = offered(rollout, within, running)
    assert (offer.sequence if offer else None) == expected


def test_without_a_base_what_was_taken_back_gives_way_to_the_release() -> None:
    back = msgspec.structs.replace(NEW, sequence=3, withdrawn=5)
    for running, expected in ((5, 3), (4, 3), (6, None), (2, None), (None, None)):
        offer = offered(back, False, running)
        assert (offer.sequence if offer else None) == expected
    assert offered(msgspec.structs.replace(back, paused=True), False, 5) is None
