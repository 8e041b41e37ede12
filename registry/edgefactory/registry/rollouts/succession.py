"""Which rollout may follow which: pure, from the one that is signed to the one to sign next.

Each returns the rollout that it was given where there is nothing to change. Whatever follows:

- the edition rises by one with every change, and `since` is when it was made (seconds, UTC);
- `floor` and `withdrawn` never fall;
- `base`, what sites outside of the rings run, is the last release that had reached every site
  when another one began.
"""

from dataclasses import dataclass

from msgspec.structs import replace

from edge_runtime.contract import Offer, Rollout
from edge_runtime.contract.rings import BUCKETS
from edgefactory.datasets.errors import GateError, InputError, MissingError
from edgefactory.registry.rollouts.rings import (
    LAB,
    NOWHERE,
    PILOT,
    Needs,
    Ring,
    Rings,
    name_of,
    reach_of,
)

BACK = "back"  # the ring of a rollout that only takes something back


@dataclass(frozen=True)
class Where:
    """Filters: only these hardware classes, regions, sites; an empty one lets all through."""

    hardware: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    only: tuple[str, ...] = ()


def reach(rollout: Rollout | None) -> int:
    """How far a rollout reaches: NOWHERE, LAB, PILOT, or its bound."""
    if rollout is None:
        return NOWHERE
    if rollout.bound:
        return rollout.bound
    if rollout.ring == name_of("pilot"):
        return PILOT
    return LAB if rollout.sites else NOWHERE


def where_of(rollout: Rollout) -> Where:
    """The filters of `rollout`."""
    return Where(rollout.hardware, rollout.regions, rollout.only)


def complete(rollout: Rollout) -> bool:
    """Whether every site may run the release of `rollout`."""
    return rollout.bound == BUCKETS and not rollout.paused and where_of(rollout) == Where()


def published(previous: Rollout | None, wanted: Rollout, now: int) -> Rollout:
    """What follows when a release is published with the rollout `wanted`.

    A rollout that is paused, or that `promote` has taken in hand, stays; so does one that has
    taken this release back.
    """
    if previous is not None:
        in_hand = previous.release == wanted.release and previous.ring != ""
        if previous.paused or in_hand or wanted.sequence <= previous.withdrawn:
            return previous
    return _following(previous, wanted, now)


def promoted(
    previous: Rollout | None, model: str, offer: Offer, goal: tuple[Rings, Ring, Where], now: int
) -> Rollout:
    """What follows when `offer` may go as far as the ring of `goal`, within its filters.

    Raises GateError when the rollout is paused, InputError when this would narrow it or go back.
    """
    rings, ring, where = goal
    if previous is not None and previous.paused:
        raise GateError(
            f"the rollout of {model} is paused; `edgefactory rollout resume {model}` lets it go on"
        )
    if previous is not None and offer.sequence < previous.sequence:
        raise InputError(
            f"sequence {offer.sequence} of {model} is older than {previous.sequence}, which is "
            "rolled out; `edgefactory rollout rollback` goes back"
        )
    same = previous if previous is not None and previous.release == offer.release else None
    named = set(rings.lab) | (set(rings.pilot) if ring != "lab" else set())
    wanted = Rollout(
        schema="rollout/1",
        model=model,
        sequence=offer.sequence,
        release=offer.release,
        release_path=offer.release_path,
        bound=max(0, reach_of(ring)),
        sites=tuple(sorted(named | set(same.sites if same else ()))),
        hardware=where.hardware,
        regions=where.regions,
        only=where.only,
        ring=name_of(ring),
    )
    if same is not None:
        _refuse_narrower(same, wanted)
    return _following(previous, wanted, now)


def needs(rings: Rings, previous: Rollout | None, wanted: Rollout) -> Needs | None:
    """What must be heard of `previous` before `wanted` may follow; None: nothing.

    Raises InputError when that would leave out a wave.
    """
    same = previous if previous is not None and previous.release == wanted.release else None
    if same is not None and not _widens(same, wanted):
        return None
    entered, towards = rings.entered(reach(same)), rings.towards(reach(wanted))
    if towards > entered + 1:
        raise InputError(
            f"{wanted.model} has to go to {name_of(rings.waves[entered + 1].ring)} before it may "
            f"go to {wanted.ring}"
        )
    return rings.waves[towards].needs


def paused(previous: Rollout, now: int) -> Rollout:
    """What follows when nobody may start any more."""
    return _following(previous, replace(previous, paused=True), now)


def resumed(previous: Rollout, now: int) -> Rollout:
    """What follows when sites may start again."""
    return _following(previous, replace(previous, paused=False), now)


def rolled_back(previous: Rollout, to: Offer | None, now: int) -> Rollout:
    """What follows when sites shall go back, to `to` or to the base, at once.

    To the base, or below it, go all sites: it had reached them all. Where there is no base, only
    those that run something newer than `to`, since nobody has seen how it does elsewhere.
    Raises MissingError when there is no base, InputError when `to` is not older, is newer than
    the base, or lies below the floor.
    """
    base = previous.base
    went_back = previous.withdrawn > previous.sequence
    if went_back and (to.release == previous.release if to is not None else base is None):
        return previous
    back = to or base
    if back is None:
        raise MissingError(
            f"no release of {previous.model} had reached every site before; say which one "
            "sites shall go back to, by --to VERSION"
        )
    _refuse_back(previous, back)
    everybody = base is not None
    where = Where() if everybody else where_of(previous)
    wanted = replace(
        previous,
        sequence=back.sequence,
        release=back.release,
        release_path=back.release_path,
        bound=BUCKETS if everybody else 0,
        sites=(),
        hardware=where.hardware,
        regions=where.regions,
        only=where.only,
        paused=False,
        ring="100%" if everybody else BACK,
        withdrawn=max(previous.withdrawn, previous.sequence),
    )
    return _following(previous, wanted, now)


def floor_raised(previous: Rollout, floor: int, now: int) -> Rollout:
    """What follows when no site may run a sequence below `floor`.

    Raises InputError when it would fall, or when a release that sites are told to run lies below.
    """
    if floor < previous.floor:
        raise InputError(f"the floor of {previous.model} is {previous.floor}; it never falls")
    lowest = previous.offer if complete(previous) else previous.base or previous.offer
    if floor > lowest.sequence:
        raise InputError(
            f"sites of {previous.model} are told to run sequence {lowest.sequence}, which a floor "
            f"of {floor} would stop; roll something newer out to all of them first"
        )
    return _following(previous, replace(previous, floor=floor), now)


def _following(previous: Rollout | None, wanted: Rollout, now: int) -> Rollout:
    if previous is None:
        return replace(wanted, edition=1, since=now)
    floor = max(previous.floor, wanted.floor)
    withdrawn = max(previous.withdrawn, wanted.withdrawn)
    base = _base(previous, wanted)
    if base is not None and (base.sequence >= wanted.sequence or base.sequence < floor):
        base = None
    kept = replace(wanted, floor=floor, withdrawn=withdrawn, base=base)
    if replace(kept, edition=previous.edition, since=previous.since) == previous:
        return previous
    return replace(kept, edition=previous.edition + 1, since=now)


def _base(previous: Rollout, wanted: Rollout) -> Offer | None:
    if previous.release != wanted.release and complete(previous):
        return previous.offer
    return previous.base


def _widens(before: Rollout, after: Rollout) -> bool:
    """Whether a site may take part in `after` that did not in `before`."""
    joins = after.bound < BUCKETS and not set(after.sites) <= set(before.sites)
    return joins or after.bound > before.bound or where_of(after) != where_of(before)


def _refuse_back(previous: Rollout, back: Offer) -> None:
    name = f"sequence {back.sequence} of {previous.model}"
    if back.sequence >= previous.sequence:
        raise InputError(f"{name} is not older than {previous.sequence}, which is rolled out")
    if back.sequence < previous.floor:
        raise InputError(
            f"{name} lies below the floor {previous.floor}, which no site goes under; "
            "publish the older weights as a new release"
        )
    if previous.base is not None and back.sequence > previous.base.sequence:
        raise InputError(
            f"{name} had never reached every site, as {previous.base.sequence} had; go back to "
            "that one, then promote from the lab on"
        )


def _refuse_narrower(before: Rollout, after: Rollout) -> None:
    if reach(before) == NOWHERE:
        return
    narrower = reach(after) < reach(before) or any(
        new and not (old and set(old) <= set(new))
        for old, new in (
            (before.hardware, after.hardware),
            (before.regions, after.regions),
            (before.only, after.only),
        )
    )
    if narrower:
        raise InputError(
            f"this would narrow the rollout of {before.model} ({before.ring or before.bound}), and "
            "sites that have a release keep it; `edgefactory rollout pause` stops it, `rollback` "
            "takes it back"
        )
