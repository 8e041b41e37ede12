"""Which sites take part in a rollout."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.contract import Rollout, bucket, takes_part
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
