"""The controller: reads the signed rollout and the reports, decides, signs the next rollout."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from edge_runtime.contract import Offer, Rollout
from edgefactory.datasets.errors import GateError
from edgefactory.registry import tree as trees
from edgefactory.registry.emergency import refuse_blocked
from edgefactory.registry.files import locked
from edgefactory.registry.rollouts import documents, sources, succession
from edgefactory.registry.rollouts.evidence import Standing, shortfalls, standing
from edgefactory.registry.rollouts.hearing import Hearing, Refused, hear
from edgefactory.registry.rollouts.rings import Needs, Ring, Rings, parse_ring
from edgefactory.registry.rollouts.succession import Where
from edgefactory.registry.tree import Tree

NEXT = "next"


@dataclass(frozen=True)
class Place:
    """The published tree, and the keys of its rollout, snapshot and timestamp roles."""

    published: Path
    keys: Path


@dataclass(frozen=True)
class Witnesses:
    """Where reports are (a folder or URL), and the folder of the devices that may sign them."""

    reports: str
    devices: Path


@dataclass(frozen=True)
class Goal:
    """How far a release may go: `ring` as people write it, or `next`; `where` None keeps the
    filters that this release has already."""

    model: str
    version: str
    ring: str
    where: Where | None = None


@dataclass(frozen=True)
class Step:
    """What a command came to: the rollout that is signed now, and why it was not changed.

    `missing` has a line for each thing that keeps the next wave from beginning.
    """

    changed: bool
    rollout: Rollout
    version: str
    standing: Standing | None = None
    missing: tuple[str, ...] = ()
    refused: tuple[Refused, ...] = ()


def promote(
    place: Place,
    goal: Goal,
    rings: Rings,
    witnesses: Witnesses | None = None,
    now: datetime | None = None,
) -> Step:
    """Let a signed release go as far as `goal` says, if the wave before it stands well enough.

    Twice the same changes nothing. Raises GateError while the rollout is paused, InputError when
    it would narrow, go back or leave a wave out, MissingError when no such release was signed.
    """
    now = now or trees.utc_now()
    with locked(place.published):
        tree = trees.load_tree(place.published)
        previous = documents.current(place.published, tree, goal.model)
        offer = documents.signed_release(place.published, tree, goal.model, goal.version)
        same = previous if previous is not None and previous.release == offer.release else None
        refuse_blocked(place.published, tree, goal.model, offer)
        _refuse_again(goal, previous, offer)
        ring = _ring(goal, rings, same)
        kept = succession.where_of(same) if same else Where()
        aim = (rings, ring, kept if goal.where is None else goal.where)
        wanted = succession.promoted(previous, goal.model, offer, aim, _seconds(now))
        if previous is not None and wanted == previous:
            return Step(False, previous, goal.version)
        needs = succession.needs(rings, previous, wanted)
        step = Step(True, wanted, goal.version)
        if needs is not None and same is not None:
            held = _judge(place, Step(False, same, goal.version), needs, (rings, witnesses), now)
            if held.missing:
                return held
            step = replace(held, changed=True, rollout=wanted)
        documents.write(place.published, place.keys, tree, wanted, now)
        return step


def pause(place: Place, model: str, now: datetime | None = None) -> Step:
    """Nobody starts any more; sites that have the release keep it."""
    return _change(place, model, lambda _, before, at: succession.paused(before, at), now)


def resume(place: Place, model: str, now: datetime | None = None) -> Step:
    """Sites under the bound may start again; widening takes reports of from now on."""
    return _change(place, model, lambda _, before, at: succession.resumed(before, at), now)


def rollback(place: Place, model: str, to: str | None, now: datetime | None = None) -> Step:
    """All sites go back to version `to`, or to the release that had reached every site before."""

    def back(tree: Tree, before: Rollout, at: int) -> Rollout:
        offer = None if to is None else documents.signed_release(place.published, tree, model, to)
        after = succession.rolled_back(before, offer, at)
        refuse_blocked(place.published, tree, model, after.offer)
        return after

    return _change(place, model, back, now)


def raise_floor(place: Place, model: str, version: str, now: datetime | None = None) -> Step:
    """No site may ever run anything older than `version` again."""

    def raised(tree: Tree, before: Rollout, at: int) -> Rollout:
        floor = documents.signed_release(place.published, tree, model, version).sequence
        return succession.floor_raised(before, floor, at)

    return _change(place, model, raised, now)


def listen(
    published: Path, rollout: Rollout, rings: Rings, witnesses: Witnesses, now: datetime
) -> tuple[Standing, Hearing]:
    """How the wave of `rollout` stands by the reports of `witnesses`; writes nothing."""
    devices = sources.read_devices(witnesses.devices)
    hearing = hear(
        sources.read_reports(witnesses.reports),
        rollout.model,
        devices,
        sources.read_ledger(sources.ledger_of(published)),
        (now.timestamp() - rings.fresh_hours * 3600, now.timestamp()),
    )
    found = standing(rollout, devices.values(), hearing.reports, rings.confidence)
    return found, hearing


def _judge(
    place: Place, held: Step, needs: Needs, by: tuple[Rings, Witnesses | None], now: datetime
) -> Step:
    """`held`, with what the reports say of its wave and what is missing for the next."""
    rings, witnesses = by
    if witnesses is None:
        silence = "no reports were given (--reports, --devices): silence never widens"
        return replace(held, missing=(silence,))
    found, hearing = listen(place.published, held.rollout, rings, witnesses, now)
    sources.write_ledger(sources.ledger_of(place.published), hearing.ledger)
    missing = shortfalls(found, needs, now.timestamp() - held.rollout.since)
    return replace(held, standing=found, missing=missing, refused=hearing.refused)


def _change(
    place: Place,
    model: str,
    following: Callable[[Tree, Rollout, int], Rollout],
    now: datetime | None,
) -> Step:
    now = now or trees.utc_now()
    with locked(place.published):
        tree = trees.load_tree(place.published)
        before = documents.require(place.published, tree, model)
        after = following(tree, before, _seconds(now))
        if after != before:
            documents.write(place.published, place.keys, tree, after, now)
        return Step(after != before, after, documents.version_of(tree, after.offer))


def _refuse_again(goal: Goal, previous: Rollout | None, offer: Offer) -> None:
    """`next`, which cron may ask for, does not begin anew with what somebody took back."""
    if previous is None or goal.ring != NEXT or offer.release == previous.release:
        return
    if offer.sequence <= previous.withdrawn:
        raise GateError(
            f"{goal.model} {goal.version} was taken back; name a ring to begin with it anew"
        )


def _ring(goal: Goal, rings: Rings, same: Rollout | None) -> Ring:
    if goal.ring != NEXT:
        return parse_ring(goal.ring)
    following = rings.after(succession.reach(same))
    return following if following is not None else rings.waves[-1].ring


def _seconds(now: datetime) -> int:
    return int(now.timestamp())
