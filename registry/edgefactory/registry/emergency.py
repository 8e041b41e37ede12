"""What may not run any more: block lists, which two holders of the emergency keys sign.

`block` names one release; `revoke` raises the lowest sequence above it, so that it and all before
it are out. Sites obey before they look at any rollout.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec
from tuf.api.metadata import TargetFile

from edge_runtime.contract import Block, BlockedRelease, Offer, encode
from edgefactory.datasets.errors import InputError, MissingError, TrustError
from edgefactory.registry import tree as trees
from edgefactory.registry.files import parse, read_bounded
from edgefactory.registry.history import every
from edgefactory.registry.requests import Request, write_request
from edgefactory.registry.tree import EMERGENCY, Tree

MAX_BLOCK_BYTES = 4 * 1024 * 1024  # as the runtime's limit for a document


@dataclass(frozen=True)
class Ban:
    """What is to be banned, how, and why: the reason is read at every site."""

    model: str
    version: str
    reason: str
    how: Literal["block", "revoke"]


def block_list(published: Path, tree: Tree, model: str) -> Block:
    """The signed block list of `model`; an empty one when there is none.

    Raises MissingError, or TrustError when the file is not what was signed.
    """
    path = f"block/{model}.json"
    target = tree.emergency.signed.targets.get(path) if tree.emergency else None
    if target is None:
        return Block("block/1", model)
    file = published / "targets" / target.get_prefixed_paths()[0]
    data = read_bounded(file, MAX_BLOCK_BYTES)
    if TargetFile.from_data(path, data, ["sha256"]) != target:
        raise TrustError(f"{file} is not the block list that was signed")
    return parse(data, Block, str(file))


def refuse_blocked(published: Path, tree: Tree, model: str, offer: Offer) -> None:
    """Raise TrustError when the release that `offer` names may not run any more."""
    against = block_list(published, tree, model).against(offer.sequence, offer.release)
    if against:
        raise TrustError(f"{offer.release_path} may not run: {against}")


def propose_ban(published: Path, ban: Ban, now: datetime | None = None) -> bytes:
    """The request for the next block list of a model, to be signed by two of three.

    Raises MissingError when that version is not published or the tree has no emergency role,
    InputError when it is banned already or the reason is no single line.
    """
    if not ban.reason.strip():
        raise InputError("a reason is needed; every site keeps it in its journal")
    now = now or trees.utc_now()
    tree = trees.load_tree(published)
    if tree.emergency is None:
        raise MissingError(
            "this tree has no emergency role; `repo rotate --add emergency=FILE` (three times) "
            "makes a request for one"
        )
    sha256, sequence = _published(published, tree, ban)
    before = block_list(published, tree, ban.model)
    if ban.how == "block":
        if any(blocked.release == sha256 for blocked in before.releases):
            raise InputError(f"{ban.model}@{ban.version} is blocked already")
        named = (*before.releases, BlockedRelease(sha256, ban.reason))
        after = msgspec.structs.replace(before, releases=named)
    else:
        if sequence < before.minimum:
            raise InputError(f"{ban.model}@{ban.version} is revoked already")
        after = msgspec.structs.replace(before, minimum=sequence + 1, minimum_reason=ban.reason)
    data = encode(after)
    parse(data, Block, f"the reason {ban.reason!r}")  # the contract's bounds hold
    path = f"block/{ban.model}.json"
    metadata = trees.next_version(tree.emergency, EMERGENCY, now)
    metadata.signed.targets[path] = TargetFile.from_data(path, data, ["sha256"])
    return write_request(Request(None, {EMERGENCY: metadata}, {path: data}))


def _published(published: Path, tree: Tree, ban: Ban) -> tuple[str, int]:
    """Digest and sequence, also of a release that has left the metadata: sites may still run it."""
    for past in every(published, tree, ban.model):
        if past.version == ban.version:
            return past.release, past.sequence
    raise MissingError(f"{ban.model}@{ban.version} is not published here, so no site runs it")
