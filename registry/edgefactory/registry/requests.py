"""A signing request: metadata that waits for signatures, as one file that people pass on.

It holds whole TUF metadata by role, so a signature in it is the signature in the published tree.
Copies that were signed on different machines are merged: what they ask for must be the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

from msgspec import Struct
from securesystemslib.signer import Signer
from tuf.api.metadata import Metadata, Root, Targets

from edge_runtime.contract import encode
from edgefactory.datasets.errors import InputError, TrustError
from edgefactory.registry import tree as trees
from edgefactory.registry.files import parse
from edgefactory.registry.keys import owner
from edgefactory.registry.tree import EMERGENCY, RELEASES, Tree

MAX_REQUEST_BYTES = 32 * 1024 * 1024
OFFLINE_ROLES = ("root", "targets", RELEASES, EMERGENCY)


class RequestDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """The file: TUF metadata by role, and the texts of new targets by their paths."""

    schema: Literal["request/1"]
    metadata: dict[Literal["root", "targets", "releases", "emergency"], dict[str, object]]
    files: dict[str, str] = {}


@dataclass(frozen=True)
class Request:
    """The next version of some offline roles, signed by whoever has signed so far.

    `files` are the documents of targets that the metadata names anew.
    """

    root: Metadata[Root] | None = None
    below: Mapping[str, Metadata[Targets]] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)

    def roles(self) -> dict[str, Metadata[Root] | Metadata[Targets]]:
        """All of its metadata by role, root first."""
        found: dict[str, Metadata[Root] | Metadata[Targets]] = {}
        if self.root is not None:
            found["root"] = self.root
        return found | {role: self.below[role] for role in OFFLINE_ROLES if role in self.below}

    def delegators(self, role: str, tree: Tree | None) -> list[Root | Targets]:
        """Whose word it is who signs `role`: the tree's, and the request's own where it changes.

        A new root needs both; of other roles the last one holds.
        """
        if role in {"root", "targets"}:
            found = [tree.root if tree else None, self.root]
            return [root.signed for root in found if root is not None]
        below = [tree.targets if tree else None, self.below.get("targets")]
        delegators = [targets.signed for targets in below if targets is not None]
        return [found for found in delegators if role in trees.delegated_roles(found)]


def read_request(data: bytes, source: str = "the request") -> Request:
    """The request in `data`. Raises InputError when it is none."""
    document = parse(data, RequestDocument, source)
    try:
        metadata = {role: Metadata.from_dict(dict(m)) for role, m in document.metadata.items()}
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{source} holds no TUF metadata: {error}") from error
    for role, found in metadata.items():
        if not isinstance(found.signed, Root if role == "root" else Targets):
            raise InputError(f"{source} holds {found.signed.type} metadata as {role!r}")
    files = {path: text.encode() for path, text in document.files.items()}
    root = cast(Metadata[Root] | None, metadata.pop("root", None))
    return Request(root, cast(dict[str, Metadata[Targets]], metadata), files)


def write_request(request: Request) -> bytes:
    """The byte form of `request`."""
    metadata = {role: found.to_dict() for role, found in request.roles().items()}
    files = {path: data.decode() for path, data in request.files.items()}
    return encode({"schema": "request/1", "metadata": metadata, "files": files})


def merge(requests: Sequence[bytes]) -> bytes:
    """One request with all signatures of `requests`, copies of one that went different ways.

    Raises InputError when they do not ask for the same to the byte.
    """
    first, *others = map(read_request, requests)
    for other in others:
        if _asked(other) != _asked(first):
            raise InputError(
                "the requests do not ask for the same; make one, and pass on copies of that"
            )
        for role, metadata in first.roles().items():
            metadata.signatures.update(other.roles()[role].signatures)
    return write_request(first)


def asks_the_same(one: Request, other: Request) -> bool:
    """Whether both ask for the same, but for until when: asked for twice, moments apart."""
    return _but_life(one) == _but_life(other)


def _but_life(request: Request) -> tuple[object, ...]:
    roles = {role: found.signed.to_dict() for role, found in request.roles().items()}
    for signed in roles.values():
        del signed["expires"]
    return roles, dict(request.files)


def _asked(request: Request) -> tuple[object, ...]:
    roles = {role: found.signed_bytes for role, found in request.roles().items()}
    return roles, dict(request.files)


def sign_request(request: Request, tree: Tree | None, signer: Signer) -> tuple[str, ...]:
    """Add the signature of `signer` to each role that its key may sign; returns those roles.

    Raises TrustError when there is none.
    """
    keyid = signer.public_key.keyid
    signed = []
    for role, metadata in request.roles().items():
        delegators = request.delegators(role, tree)
        if any(keyid in found.get_delegated_role(role).keyids for found in delegators):
            trees.add_signature(metadata, signer)
            signed.append(role)
    if not signed:
        raise TrustError(
            f"key {keyid[:12]}… may not sign anything in this request "
            f"({', '.join(request.roles())}); is it the right key?"
        )
    return tuple(signed)


def lacking(request: Request, tree: Tree | None) -> dict[str, str]:
    """Per role that lacks signatures, how many there are of how many, by whom."""
    found = {}
    for role, metadata in request.roles().items():
        delegators = request.delegators(role, tree)
        if not delegators:
            found[role] = "nobody may sign it in this tree"
        # Only a new root needs the old keys as well.
        for delegator in delegators if role == "root" else delegators[-1:]:
            result = delegator.get_verification_result(
                role, metadata.signed_bytes, metadata.signatures
            )
            if not result:
                by = ", ".join(sorted(map(owner, result.signed.values()))) or "nobody"
                count = f"{len(result.signed)} of {result.threshold}"
                found[role] = f"{count} signatures, by {by}"
    return found
