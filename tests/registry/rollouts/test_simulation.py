"""Sixteen thousand simulated sites through all waves: who takes part, who leaves, who stops it."""

from math import sqrt

import msgspec

from edge_runtime.contract import Device, Offer, Report, Rollout, offered, takes_part
from edge_runtime.contract.rings import BUCKETS
from edgefactory.registry.rollouts import EXAMPLE, Where, read_rings, succession
from edgefactory.registry.rollouts.evidence import shortfalls, standing
from edgefactory.registry.rollouts.rings import Ring, Rings, reach_of

NAMED = read_rings(EXAMPLE)
RINGS: Rings = msgspec.structs.replace(
    NAMED, pilot=tuple(f"branch-{n:05d}" for n in range(5)), lab=("lab-1", "lab-2")
)
SITES = (*RINGS.lab, *(f"branch-{n:05d}" for n in range(15_998)))
DEVICES = [Device("device/1", s, "", ("cpu",), f"{n:064x}") for n, s in enumerate(SITES)]
ONE, TWO = (Offer(n, f"{n:064x}", f"releases/m/{n}.0.0/release.json") for n in (1, 2))
HOUR = 3600
RAN = Report(
    *("report/1", "s", 1, 0, "m", ("cpu",), 0, TWO.release, TWO.release, None, {}, "active", "ok")
)


def polled(rollout: Rollout, running: dict[str, int | None]) -> dict[str, int | None]:
    """What each site runs after it has read `rollout` once."""
    after = {}
    for site, sequence in running.items():
        offer = offered(rollout, takes_part(rollout, site, "cpu"), sequence)
        after[site] = sequence if offer is None else offer.sequence
    return after


def said(rollout: Rollout, running: dict[str, int | None]) -> dict[str, Report]:
    """Every site reports what it runs, of this edition."""
    release = {1: ONE.release, 2: TWO.release}
    return {
        site: msgspec.structs.replace(
            RAN, edition=rollout.edition, active=release[sequence] if sequence else None
        )
        for site, sequence in running.items()
    }


def go(before: Rollout, ring: Ring, now: int) -> Rollout:
    after = succession.promoted(before, "m", TWO, (RINGS, ring, Where()), now)
    needs = succession.needs(RINGS, before, after)
    assert (needs is None) == (ring == "lab")
    return after


def everywhere() -> Rollout:
    first = Rollout(
        *("rollout/1", "m", ONE.sequence, ONE.release, ONE.release_path, BUCKETS), edition=1
    )
    return succession.published(None, first, 0)


def test_each_wave_takes_in_its_share_and_nobody_leaves() -> None:
    rollout, now = everywhere(), 0
    running: dict[str, int | None] = polled(rollout, dict.fromkeys(SITES))
    assert set(running.values()) == {1}
    have: set[str] = set()
    for wave in RINGS.waves:
        if wave.needs is not None:
            now += int(wave.needs.hours * HOUR)
            found = standing(rollout, DEVICES, said(rollout, running), RINGS.confidence)
            assert shortfalls(found, wave.needs, now - rollout.since) == ()
        rollout = go(rollout, wave.ring, now)
        running = polled(rollout, running)
        having = {site for site, sequence in running.items() if sequence == 2}
        assert have <= having
        assert {*RINGS.lab} <= having
        drawn = having - {*RINGS.lab, *RINGS.pilot}
        share = max(0, reach_of(wave.ring)) / BUCKETS
        drawn_from = len(SITES) - len(RINGS.lab) - len(RINGS.pilot)
        # Four standard errors of a binomial share.
        error = 4 * sqrt(share * (1 - share) / drawn_from)
        assert abs(len(drawn) / drawn_from - share) <= error
        have = having
    assert have == set(SITES)


def test_a_release_that_fails_on_one_site_in_twenty_stops_at_one_percent() -> None:
    """Lab and pilot cannot see it; the first drawn wave does."""
    rollout = go(go(go(everywhere(), "lab", 0), "pilot", 0), 1.0, 0)
    running = polled(rollout, dict.fromkeys(SITES, 1))
    reports = said(rollout, running)
    taking = [site for site, sequence in running.items() if sequence == 2]
    for site in taking[::20]:
        reports[site] = msgspec.structs.replace(
            reports[site], phase="failed", offered=TWO.release, active=ONE.release
        )
    needs = RINGS.waves[3].needs
    assert needs is not None
    missing = shortfalls(standing(rollout, DEVICES, reports, 0.95), needs, age=24 * HOUR)
    assert any("failed" in line for line in missing)


def test_going_back_reaches_every_site_that_has_it_and_new_sites_get_the_base() -> None:
    rollout = go(go(go(go(everywhere(), "lab", 0), "pilot", 0), 1.0, 0), 10.0, 0)
    running = polled(rollout, dict.fromkeys(SITES, 1))
    new = polled(rollout, {f"new-{n}": None for n in range(500)})
    assert 0 < sum(sequence == 2 for sequence in running.values()) < len(SITES)
    assert None not in new.values()
    back = succession.rolled_back(rollout, None, HOUR)
    assert set(polled(back, running).values()) == {1}
    # A site that slept through it goes back when the next release is under way already.
    three = Offer(3, "3" * 64, "releases/m/3.0.0/release.json")
    later = succession.promoted(back, "m", three, (RINGS, "lab", Where()), 2 * HOUR)
    assert {n for s, n in polled(later, running).items() if s not in RINGS.lab} == {1}


def test_a_pause_starts_nobody_and_takes_nothing_away() -> None:
    lab = go(everywhere(), "lab", 0)
    ten = go(go(go(lab, "pilot", 0), 1.0, 0), 10.0, 0)
    running = polled(go(go(lab, "pilot", 0), 1.0, 0), dict.fromkeys(SITES, 1))
    paused = succession.paused(ten, HOUR)
    assert polled(paused, running) == running
    resumed = succession.resumed(paused, 2 * HOUR)
    assert polled(resumed, running) == polled(ten, running) != running
