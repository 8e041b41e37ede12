"""Requests that change who may sign: keys come and go, and what expires offline is renewed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tuf.api.metadata import DelegatedRole, Metadata, Root, Targets

from edgefactory.datasets.errors import InputError
from edgefactory.registry import tree as trees
from edgefactory.registry.keys import PublicKey, owner
from edgefactory.registry.requests import OFFLINE_ROLES, Request, write_request
from edgefactory.registry.tree import EMERGENCY, RELEASES, ROLLOUT, Tree

THRESHOLDS = {
    "root": 2,
    "targets": 2,
    RELEASES: 2,
    EMERGENCY: 2,
    ROLLOUT: 1,
    "snapshot": 1,
    "timestamp": 1,
}
PATHS = {
    RELEASES: "releases/*/*/release.json",
    EMERGENCY: "block/*.json",
    ROLLOUT: "rollout/*.json",
}
IN_ROOT = ("root", "targets", "snapshot", "timestamp")


@dataclass(frozen=True)
class KeyChange:
    """Keys that a role gets, and the names of those that it loses."""

    role: str
    add: tuple[PublicKey, ...] = ()
    remove: tuple[str, ...] = ()


def propose_rotation(
    published: Path,
    changes: Sequence[KeyChange],
    renew: Iterable[str] = (),
    now: datetime | None = None,
) -> bytes:
    """The request to make `changes`, and to sign the offline roles of `renew` anew.

    Whatever must be signed again for it is part of the request: a role whose keys change, and the
    one that names its keys. Raises InputError for a change that the tree does not allow.
    """
    now = now or trees.utc_now()
    tree = trees.load_tree(published)
    renewed = set(renew)
    if not renewed <= set(OFFLINE_ROLES):
        raise InputError(f"{sorted(renewed)}: `repo refresh` renews what is signed online")
    unknown = {change.role for change in changes} - set(THRESHOLDS)
    if unknown:
        raise InputError(f"no role is called {unknown.pop()!r}; there are {', '.join(THRESHOLDS)}")
    moved = {change.role for change in changes}
    root = _next_root(tree, changes, now) if moved & {*IN_ROOT} or "root" in renewed else None
    below: dict[str, Metadata[Targets]] = {}
    if "targets" in moved | renewed or moved & set(PATHS):
        below["targets"] = _next_targets(tree, changes, now)
    for role, current in ((RELEASES, tree.releases), (EMERGENCY, tree.emergency)):
        if role in moved | renewed:
            below[role] = (
                Metadata(Targets(expires=trees.expiry(role, now)))
                if current is None
                else trees.next_version(current, role, now)
            )
    if root is None and not below:
        raise InputError("nothing to do; say which keys a role gets or loses, or what to renew")
    if EMERGENCY in renewed - moved and tree.emergency is None:
        raise InputError("this tree has no emergency role yet; give it three keys by --add")
    return write_request(Request(root, below))


def new_role(name: str, keyids: list[str]) -> DelegatedRole:
    """The delegation of role `name` to the keys `keyids`, as every tree of ours has it."""
    return DelegatedRole(name, keyids, THRESHOLDS[name], terminating=True, paths=[PATHS[name]])


def _next_root(tree: Tree, changes: Sequence[KeyChange], now: datetime) -> Metadata[Root]:
    root = trees.next_version(tree.root, "root", now)
    for change in changes:
        if change.role in IN_ROOT:
            _change(root.signed, change)
    return root


def _next_targets(tree: Tree, changes: Sequence[KeyChange], now: datetime) -> Metadata[Targets]:
    targets = trees.next_version(tree.targets, "targets", now)
    delegations = targets.signed.delegations
    assert delegations is not None
    assert delegations.roles is not None
    for change in changes:
        if change.role not in IN_ROOT:
            delegations.roles.setdefault(change.role, new_role(change.role, []))
            _change(targets.signed, change)
    return targets


def _change(delegator: Root | Targets, change: KeyChange) -> None:
    role = change.role
    held = {
        owner(delegator.get_key(keyid)): keyid
        for keyid in delegator.get_delegated_role(role).keyids
    }
    for name in change.remove:
        if name not in held:
            raise InputError(f"{role!r} has no key {name!r}; it has {', '.join(sorted(held))}")
        delegator.revoke_key(held[name], role)
    for public in change.add:
        key = public.key()
        if public.name in held or key.keyid in held.values():
            raise InputError(
                f"{role!r} has or had the key {public.name!r} ({key.keyid[:12]}…) already; make a "
                "new one under another name"
            )
        delegator.add_key(key, role)
        held[public.name] = key.keyid
    left = delegator.get_delegated_role(role)
    if len(left.keyids) < left.threshold:
        raise InputError(
            f"{role!r} would have {len(left.keyids)} keys and needs {left.threshold} signatures; "
            "add one for each that goes"
        )
