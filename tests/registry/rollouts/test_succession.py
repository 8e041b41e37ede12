"""Which rollout may follow which."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from edge_runtime.contract import Offer, Rollout, offered
from edge_runtime.contract.rings import BUCKETS
from edgefactory.datasets.errors import GateError, InputError, MissingError
from edgefactory.registry.rollouts import EXAMPLE, Where, read_rings, succession
from edgefactory.registry.rollouts.rings import Ring

RINGS = read_rings(EXAMPLE)
NOW = 1_790_000_000


def offer(sequence: int) -> Offer:
    return Offer(sequence, f"{sequence:064x}", f"releases/m/{sequence}.0.0/release.json")


def promoted(
    before: Rollout | None, sequence: int, ring: Ring, where: Where | None = None
) -> Rollout:
    return succession.promoted(before, "m", offer(sequence), (RINGS, ring, where or Where()), NOW)


ALL_ONE = promoted(None, 1, 100.0)


def test_the_rings_are_named_sites_or_a_bound_and_nobody_leaves() -> None:
    lab = promoted(ALL_ONE, 2, "lab")
    pilot = promoted(lab, 2, "pilot")
    ten = promoted(pilot, 2, 10)
    assert (lab.bound, lab.sites, lab.ring) == (0, RINGS.lab, "lab")
    assert (pilot.bound, set(pilot.sites)) == (0, {*RINGS.lab, *RINGS.pilot})
    assert (ten.bound, ten.sites, ten.ring) == (1638, pilot.sites, "10%")
    assert [r.edition for r in (ALL_ONE, lab, pilot, ten)] == [1, 2, 3, 4]


def test_twice_changes_nothing() -> None:
    lab = promoted(ALL_ONE, 2, "lab")
    assert promoted(lab, 2, "lab") is lab
    paused = succession.paused(lab, NOW + 1)
    assert succession.paused(paused, NOW + 2) is paused
    back = succession.rolled_back(lab, None, NOW + 1)
    assert succession.rolled_back(back, None, NOW + 2) is back
    assert succession.rolled_back(back, offer(1), NOW + 2) is back
    raised = succession.floor_raised(back, 1, NOW + 2)
    assert succession.floor_raised(raised, 1, NOW + 3) is raised


def test_the_base_is_the_last_release_that_had_reached_every_site() -> None:
    two = promoted(ALL_ONE, 2, "lab")
    assert two.base == offer(1)
    assert promoted(two, 3, "lab").base == offer(1)  # 2 never came through
    assert promoted(promoted(two, 2, 100), 3, "lab").base == offer(2)
    north = promoted(None, 1, 100, Where(regions=("north",)))
    assert promoted(north, 2, "lab").base is None


def test_a_paused_rollout_never_widens() -> None:
    paused = succession.paused(promoted(ALL_ONE, 2, "lab"), NOW)
    for sequence, ring in ((2, "pilot"), (2, 100.0), (3, "lab")):
        with pytest.raises(GateError, match="is paused"):
            promoted(paused, sequence, ring)  # type: ignore[arg-type]  # a str of the literals
    assert succession.published(paused, replace(ALL_ONE, sequence=3, release="3" * 64), 0) is paused
    assert not succession.resumed(paused, NOW).paused


def test_a_wave_is_not_left_out_and_the_first_needs_nothing() -> None:
    lab = promoted(ALL_ONE, 2, "lab")
    assert succession.needs(RINGS, ALL_ONE, lab) is None
    for ring, wave in (("pilot", 1), (0.5, None), (100.0, None)):
        wanted = promoted(lab, 2, ring)  # type: ignore[arg-type]  # a str of the literals
        if wave is None:
            with pytest.raises(InputError, match="has to go to pilot before"):
                succession.needs(RINGS, lab, wanted)
        else:
            assert succession.needs(RINGS, lab, wanted) == RINGS.waves[wave].needs
    with pytest.raises(InputError, match="has to go to lab before"):
        succession.needs(RINGS, ALL_ONE, promoted(ALL_ONE, 2, 1))
    five = promoted(promoted(promoted(lab, 2, "pilot"), 2, 1), 2, 5)
    assert succession.needs(RINGS, promoted(lab, 2, 1), five) == RINGS.waves[3].needs
    assert succession.needs(RINGS, five, promoted(five, 2, 10)) == RINGS.waves[3].needs


def test_letting_a_filter_go_is_widening() -> None:
    north = promoted(ALL_ONE, 2, 10, Where(regions=("north",)))
    wider = promoted(north, 2, 10)
    assert succession.needs(RINGS, north, wider) == RINGS.waves[3].needs
    with pytest.raises(InputError, match="narrow"):
        promoted(wider, 2, 10, Where(regions=("north",)))
    with pytest.raises(InputError, match="narrow"):
        promoted(north, 2, 10, Where(regions=("south",)))


def test_promoting_never_narrows_nor_goes_back() -> None:
    ten = promoted(ALL_ONE, 2, 10)
    for ring in ("lab", "pilot", 5.0):
        with pytest.raises(InputError, match="narrow"):
            promoted(ten, 2, ring)
    with pytest.raises(InputError, match="rollback` goes back"):
        promoted(ten, 1, 100)


def test_going_back_says_what_it_takes_back_and_reaches_everybody() -> None:
    back = succession.rolled_back(promoted(ALL_ONE, 2, 10, Where(("cpu",))), None, NOW)
    assert (back.sequence, back.withdrawn, back.bound, back.base) == (1, 2, BUCKETS, None)
    assert succession.where_of(back) == Where()
    third = promoted(back, 3, "lab")
    assert (third.base, third.withdrawn) == (offer(1), 2)
    again = promoted(back, 2, "lab")  # it was not that bad after all
    assert (again.sequence, again.base, again.withdrawn) == (2, offer(1), 2)


def test_going_back_stops_at_the_floor_and_needs_something_older() -> None:
    two = promoted(promoted(ALL_ONE, 2, 10), 2, 100)
    three = succession.floor_raised(promoted(two, 3, "lab"), 2, NOW)
    with pytest.raises(InputError, match="below the floor 2"):
        succession.rolled_back(three, offer(1), NOW)
    with pytest.raises(InputError, match="is not older"):
        succession.rolled_back(three, offer(4), NOW)
    with pytest.raises(MissingError, match="--to VERSION"):
        succession.rolled_back(promoted(None, 2, "lab"), None, NOW)


def test_going_back_gives_nobody_what_had_not_reached_everybody() -> None:
    three = promoted(promoted(ALL_ONE, 2, "lab"), 3, "lab")
    with pytest.raises(InputError, match="had never reached every site, as 1 had"):
        succession.rolled_back(three, offer(2), NOW)
    north = Where(regions=("north",))
    two = promoted(promoted(None, 1, 100, north), 2, 10, north)
    back = succession.rolled_back(two, offer(1), NOW)
    assert (back.bound, back.sites, back.withdrawn, back.ring) == (0, (), 2, "back")
    assert [o and o.sequence for o in (offered(back, False, n) for n in (None, 1, 2))] == [
        *(None, None),
        1,
    ]
    assert succession.rolled_back(back, offer(1), NOW) is back
    assert succession.needs(RINGS, back, promoted(back, 1, "lab", north)) is None


def test_going_back_below_the_base_reaches_everybody() -> None:
    two = promoted(promoted(promoted(ALL_ONE, 2, 10), 2, 100), 3, "lab")
    assert two.base == offer(2)
    back = succession.rolled_back(two, offer(1), NOW)
    assert (back.sequence, back.bound, back.base, back.withdrawn) == (1, BUCKETS, None, 3)


def test_the_floor_never_falls_nor_stops_what_sites_are_told_to_run() -> None:
    lab = promoted(ALL_ONE, 2, "lab")
    with pytest.raises(InputError, match="told to run sequence 1"):
        succession.floor_raised(lab, 2, NOW)
    raised = succession.floor_raised(promoted(lab, 2, 100), 2, NOW)
    with pytest.raises(InputError, match="never falls"):
        succession.floor_raised(raised, 1, NOW)
    assert promoted(raised, 3, "lab").floor == 2


def test_publishing_leaves_alone_what_promote_has_in_hand_or_was_taken_back() -> None:
    lab = promoted(ALL_ONE, 2, "lab")
    direct = replace(ALL_ONE, sequence=2, release=lab.release, ring="", edition=0)
    assert succession.published(lab, direct, NOW) is lab
    back = succession.rolled_back(lab, None, NOW)
    assert succession.published(back, direct, NOW) is back


STEPS = st.one_of(
    st.tuples(st.just("promote"), st.integers(1, 5), st.sampled_from(["lab", "pilot", 1.0, 100.0])),
    st.tuples(st.sampled_from(["pause", "resume", "back"]), st.none(), st.none()),
    st.tuples(st.just("floor"), st.integers(0, 5), st.none()),
)


@given(st.lists(STEPS, max_size=25))
def test_whatever_is_done_editions_floors_and_what_was_taken_back_only_rise(
    steps: list[tuple[str, int, Ring]],
) -> None:
    """And a site is never told to run what lies below the floor."""
    now = ALL_ONE
    for what, number, ring in steps:
        try:
            match what:
                case "promote":
                    after = promoted(now, number, ring)
                case "pause":
                    after = succession.paused(now, NOW)
                case "resume":
                    after = succession.resumed(now, NOW)
                case "back":
                    after = succession.rolled_back(now, None, NOW)
                case _:
                    after = succession.floor_raised(now, number, NOW)
        except (InputError, GateError, MissingError):
            continue
        assert after.edition == now.edition + (after != now)
        assert after.floor >= now.floor
        assert after.withdrawn >= now.withdrawn
        assert after.known >= now.known  # so that no site that saw `now` refuses `after`
        assert after.sequence >= after.floor
        assert after.base is None or after.floor <= after.base.sequence < after.sequence
        now = after
