"""How every rollout of a tree stands, for people and for machines."""

from datetime import datetime
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from edge_runtime.contract import Rollout
from edgefactory.registry import tree as trees
from edgefactory.registry.rollouts import documents
from edgefactory.registry.rollouts.control import Witnesses, listen
from edgefactory.registry.rollouts.evidence import Standing, shortfalls
from edgefactory.registry.rollouts.hearing import Refused
from edgefactory.registry.rollouts.rings import Rings, name_of, reach_of
from edgefactory.registry.rollouts.succession import reach
from edgefactory.registry.tree import Tree


class Status(Struct, frozen=True):
    """The rollout of one model. `next` is the ring after this one, and `missing` what keeps it
    from beginning; both are empty where no rings were given or none is left."""

    rollout: Rollout
    version: str
    base: str
    age: float
    standing: Standing | None = None
    next: str = ""
    missing: tuple[str, ...] = ()
    refused: tuple[Refused, ...] = ()


def status(
    published: Path,
    rings: Rings | None = None,
    witnesses: Witnesses | None = None,
    now: datetime | None = None,
) -> tuple[Status, ...]:
    """How the rollout of each model stands, with what is heard when `witnesses` are given.

    Raises as `load_tree`, `read_devices` and `read_reports` do.
    """
    now = now or trees.utc_now()
    tree = trees.load_tree(published)
    return tuple(
        _status(published, tree, documents.require(published, tree, model), (rings, witnesses), now)
        for model in documents.models(tree)
    )


def _status(
    published: Path,
    tree: Tree,
    rollout: Rollout,
    by: tuple[Rings | None, Witnesses | None],
    now: datetime,
) -> Status:
    rings, witnesses = by
    found = Status(
        rollout=rollout,
        version=documents.version_of(tree, rollout.offer),
        base=documents.version_of(tree, rollout.base) if rollout.base else "",
        age=now.timestamp() - rollout.since if rollout.since else 0.0,
        missing=("it is paused",) if rollout.paused else (),
    )
    if rings is None:
        return found
    following = rings.after(reach(rollout))
    found = replace(found, next=name_of(following) if following is not None else "")
    if witnesses is None:
        return found
    standing, hearing = listen(published, rollout, rings, witnesses, now)
    found = replace(found, standing=standing, refused=hearing.refused)
    needs = rings.waves[rings.towards(reach_of(following))].needs if following is not None else None
    missing = shortfalls(standing, needs, found.age) if needs else ()
    return replace(found, missing=(*found.missing, *missing))
