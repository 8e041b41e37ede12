"""What a signing request asks for, said in words, and refused when it is not what we make.

People sign what they can read. So a request may only change what the commands change: keys of
roles, expiry, releases, the block list. A changed threshold, a new delegation or a path is refused
whoever asks for it.
"""

import copy
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Any

from tuf.api.metadata import Metadata, Root, TargetFile, Targets

from edge_runtime.contract import Block
from edgefactory.datasets.errors import TrustError
from edgefactory.registry import tree as trees
from edgefactory.registry.files import parse
from edgefactory.registry.keys import owner
from edgefactory.registry.requests import Request
from edgefactory.registry.tree import EMERGENCY, RELEASES, Tree

LEEWAY = timedelta(days=1)  # by which the clocks of two people may differ


def review(request: Request, tree: Tree | None, now: datetime) -> tuple[str, ...]:
    """What `request` asks for, a line a change. `tree` is the published state; None: there is none.

    Raises TrustError when it was made for another state of the tree, or asks for what no command
    of ours would.
    """
    if not request.roles():
        raise TrustError("the request asks for nothing")
    try:
        return tuple(_changes(request, tree, now))
    except ValueError as error:  # tuf's, for roles and keys that metadata names and does not hold
        raise TrustError(f"the request is not whole: {error}") from error


def _changes(request: Request, tree: Tree | None, now: datetime) -> list[str]:
    lines: list[str] = []
    for role, metadata in request.roles().items():
        _require_life(role, metadata.signed.expires, now)
        current = _current(tree, role)
        version = metadata.signed.version
        following = 1 if current is None else current.signed.version + 1
        if version != following:
            raise TrustError(
                f"the request is for {role!r} version {version}, but the next one is {following}: "
                "it was made for another state of the tree; make it anew"
            )
        lines.append(f"{role} {version}, until {metadata.signed.expires:%Y-%m-%d}")
        if isinstance(metadata.signed, Root):
            before_root = tree.root.signed if tree else None
            lines += _root_changes(before_root, metadata.signed)
        else:
            before = current.signed if current else None
            assert before is None or isinstance(before, Targets)
            lines += _targets_changes(role, before, metadata.signed)
    lines += _files(request, tree)
    return lines


def new_releases(request: Request, tree: Tree | None) -> set[str]:
    """Paths of releases that the request adds or changes: those are for `release approve`."""
    asked = request.below.get(RELEASES)
    if asked is None:
        return set()
    before: dict[str, TargetFile] = tree.releases.signed.targets if tree else {}
    after = asked.signed.targets
    return {path for path in before | after if before.get(path) != after.get(path)}


def _current(tree: Tree | None, role: str) -> Metadata[Root] | Metadata[Targets] | None:
    if tree is None:
        return None
    if role == "root":
        return tree.root
    known = {"targets": tree.targets, RELEASES: tree.releases, EMERGENCY: tree.emergency}
    return known[role]


def _require_life(role: str, expires: datetime, now: datetime) -> None:
    if not now < expires <= trees.expiry(role, now) + LEEWAY:
        days = trees.EXPIRY[role].days
        raise TrustError(
            f"the request's {role!r} expires on {expires:%Y-%m-%d}; expected at most {days} days "
            "from now, and not in the past"
        )


def _root_changes(before: Root | None, after: Root) -> Iterator[str]:
    if before is not None and _but_keys(before) != _but_keys(after):
        raise TrustError("the request changes more in the root than its keys; it is not ours")
    for role in after.roles:
        yield from _key_changes(before, after, role)


def _targets_changes(role: str, before: Targets | None, after: Targets) -> Iterator[str]:
    changed = {
        path
        for path in {**(before.targets if before else {}), **after.targets}
        if before is None or before.targets.get(path) != after.targets.get(path)
    }
    if role in {RELEASES, EMERGENCY}:
        if after.delegations is not None:
            raise TrustError(f"the request makes {role!r} delegate; it is not ours")
        published = before.targets if before else {}
        for path in sorted(changed):
            yield _target_change(published.get(path), after.targets.get(path), path)
        return
    if changed:
        raise TrustError("the request puts files under 'targets', which only delegates")
    known = trees.delegated_roles(before) if before else ()
    for name in trees.delegated_roles(after):
        yield from _key_changes(before if name in known else None, after, name)
    added = set(trees.delegated_roles(after)) - set(known)
    if before is not None and (
        not added <= {EMERGENCY} or _but_keys(before) != _but_keys(after, without=added)
    ):
        raise TrustError("the request changes more in the delegations than keys; it is not ours")


def _target_change(before: TargetFile | None, after: TargetFile | None, path: str) -> str:
    if after is None:
        return f"  takes away {path}"
    if before is not None and (before.length, before.hashes) == (after.length, after.hashes):
        return f"  changes what is said of {path}, whose bytes stay"
    return f"  changes {path}"


def _key_changes(before: Root | Targets | None, after: Root | Targets, role: str) -> Iterator[str]:
    was = set(before.get_delegated_role(role).keyids) if before else set()
    delegated = after.get_delegated_role(role)
    threshold = f"{delegated.threshold} of {len(delegated.keyids)}"
    if len({str(after.get_key(keyid).keyval) for keyid in delegated.keyids}) < len(
        delegated.keyids
    ):
        raise TrustError(f"the request gives {role!r} one key twice, so that it would count twice")
    for keyid in delegated.keyids:
        if keyid not in was:
            yield f"  {role} ({threshold}): adds {_name(after, keyid)}"
    for keyid in was - set(delegated.keyids):
        assert before is not None
        yield f"  {role} ({threshold}): takes away {_name(before, keyid)}"


def _name(delegator: Root | Targets, keyid: str) -> str:
    return f"{owner(delegator.get_key(keyid)) or 'a key'} ({keyid[:12]}…)"


def _but_keys(signed: Root | Targets, without: AbstractSet[str] = frozenset()) -> dict[str, Any]:
    """All that the metadata says, but for keys, version and expiry."""
    content: dict[str, Any] = copy.deepcopy(signed.to_dict())
    for name in ("version", "expires"):
        del content[name]
    roles = content if isinstance(signed, Root) else content["delegations"]
    del roles["keys"]
    every = roles["roles"].values() if isinstance(signed, Root) else roles["roles"]
    for role in every:
        role["keyids"] = ()
    if isinstance(signed, Targets):
        roles["roles"] = [role for role in roles["roles"] if role["name"] not in without]
    return content


def _files(request: Request, tree: Tree | None) -> Iterator[str]:
    """What the documents of the request say: each must be a block list that its role names."""
    asked = request.below.get(EMERGENCY)
    targets = asked.signed.targets if asked else {}
    before = tree.emergency.signed.targets if tree and tree.emergency else {}
    changed = {path for path in targets if targets[path] != before.get(path)}
    if set(before) - set(targets):
        raise TrustError("the request takes a block list away; lists are replaced, never dropped")
    if changed != set(request.files):
        raise TrustError("the request's files are not those that its metadata names")
    for path, data in request.files.items():
        target = TargetFile.from_data(path, data, ["sha256"])
        block = parse(data, Block, path)
        if targets[path] != target or path != f"block/{block.model}.json":
            raise TrustError(f"the request's {path} is not what its metadata names")
        for blocked in block.releases:
            yield f"  {block.model}: blocked {blocked.release[:12]}…: {blocked.reason}"
        if block.minimum:
            yield f"  {block.model}: at least sequence {block.minimum}: {block.minimum_reason}"
