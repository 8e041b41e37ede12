"""The published metadata as one value: read and verified, changed, signed, written back in order.

Used by the side that writes. Readers use the TUF client, and so does `proof`; this module checks
signatures, versions and digests on what it extends, but not expiry, since an expired tree is
what a refresh is for.

Order of writing, so that a reader at any instant finds a consistent tree: blobs and targets,
delegated metadata, targets, snapshot, `timestamp.json` (the one file that is replaced), and, where
keys are rotated, the new root. Others are new files under a new version; what no snapshot names,
no reader asks for.
"""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar, cast

from securesystemslib.signer import Key, Signer
from tuf.api.exceptions import RepositoryError, UnsignedMetadataError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, Targets, Timestamp
from tuf.api.serialization import DeserializationError

from edge_runtime.contract import digest
from edgefactory.datasets.errors import EdgefactoryError, InputError, TrustError
from edgefactory.registry.files import read_bounded, write_atomic
from edgefactory.registry.keys import holds, load_signer, owner

MAX_METADATA_BYTES = 5_000_000
RELEASES = "releases"
ROLLOUT = "rollout"
EMERGENCY = "emergency"
ROOT_FILE = "1.root.json"

EXPIRY = MappingProxyType(
    {
        "root": timedelta(days=365),
        "targets": timedelta(days=365),
        RELEASES: timedelta(days=180),
        EMERGENCY: timedelta(days=365),
        ROLLOUT: timedelta(days=7),
        "snapshot": timedelta(days=7),
        "timestamp": timedelta(days=2),
    }
)

S = TypeVar("S", Root, Timestamp, Snapshot, Targets)


@dataclass(frozen=True)
class Tree:
    """The current metadata of a published tree, verified from its root down.

    `meta` is how its snapshot names the other roles; versions are 0 before the first commit.
    `emergency` is None in a tree that was made before there was that role.
    """

    root: Metadata[Root]
    targets: Metadata[Targets]
    releases: Metadata[Targets]
    rollout: Metadata[Targets]
    meta: Mapping[str, MetaFile]
    snapshot_version: int
    timestamp_version: int
    timestamp_expires: datetime
    emergency: Metadata[Targets] | None = None


def metadata_folder(published: Path) -> Path:
    """Where the metadata of the tree lies."""
    return published / "metadata"


def load_tree(published: Path) -> Tree:
    """The metadata in `published`: signed by the thresholds, of the versions and digests named.

    Where a rotation of keys was cut off just after the new root was written, what lies below it
    still has the signatures of the root before, and is accepted as such: so it can be finished.
    Raises MissingError when there is none, TrustError when it does not verify.
    """
    folder = metadata_folder(published)
    roots = _roots(folder)
    try:
        timestamp = load(folder / "timestamp.json", Timestamp)
        _verify_by_either(roots, timestamp, "timestamp")
        snapshot = _load_named(folder, "snapshot", Snapshot, timestamp.signed.snapshot_meta)
        _verify_by_either(roots, snapshot, "snapshot")
        meta = snapshot.signed.meta
        targets = _load_named(folder, "targets", Targets, meta["targets.json"])
        _verify_by_either(roots, targets, "targets")
        below = {
            role: _load_named(folder, role, Targets, meta[f"{role}.json"])
            for role in (RELEASES, ROLLOUT, EMERGENCY)
            if role in delegated_roles(targets.signed)
        }
        for role, metadata in below.items():
            verify(targets.signed, metadata, role)
        return Tree(
            roots[-1],
            targets,
            below[RELEASES],
            below[ROLLOUT],
            meta,
            snapshot.signed.version,
            timestamp.signed.version,
            timestamp.signed.expires,
            below.get(EMERGENCY),
        )
    except KeyError as error:
        raise TrustError(f"{folder}: the snapshot does not name {error}") from error


def delegated_roles(targets: Targets) -> tuple[str, ...]:
    """The names of the roles that `targets` delegates to."""
    return tuple(targets.delegations.roles or {}) if targets.delegations else ()


def next_version(metadata: Metadata[S], role: str, now: datetime) -> Metadata[S]:
    """A copy of `metadata` without signatures, one version up, with a new expiry."""
    successor = copy.deepcopy(metadata)
    successor.signatures.clear()
    successor.signed.version += 1
    successor.signed.expires = expiry(role, now)
    return successor


def expiry(role: str, now: datetime) -> datetime:
    """When metadata of `role` that is signed at `now` expires; to the second, in UTC."""
    return (now + EXPIRY[role]).astimezone(UTC).replace(microsecond=0)


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def sign(metadata: Metadata[S], signers: Iterable[Signer]) -> None:
    """Sign `metadata` by each of `signers`, replacing what was there."""
    metadata.signatures.clear()
    for signer in signers:
        add_signature(metadata, signer)


def add_signature(
    metadata: Metadata[Root] | Metadata[Snapshot] | Metadata[Targets] | Metadata[Timestamp],
    signer: Signer,
) -> None:
    """Add the signature of `signer`; one that it made before is replaced, never counted twice.

    Raises InputError when the key cannot be used (a wrong PIN, a token that was pulled out).
    """
    try:
        metadata.sign(signer, append=True)
    except UnsignedMetadataError as error:
        cause = error.__cause__ or error
        if isinstance(cause, EdgefactoryError):
            raise cause from error
        reason = str(cause) or type(cause).__name__
        keyid = signer.public_key.keyid
        raise InputError(f"key {keyid[:12]}… cannot sign: {reason}") from error


def meta_file(metadata: Metadata[S]) -> MetaFile:
    """How the next role up names `metadata`: version, length and SHA-256."""
    data = metadata.to_bytes()
    return MetaFile(metadata.signed.version, len(data), {"sha256": digest(data)})


def store(published: Path, role: str, metadata: Metadata[S]) -> None:
    """Write `metadata` under its versioned name; the timestamp under its plain one."""
    prefix = "" if role == "timestamp" else f"{metadata.signed.version}."
    write_atomic(metadata_folder(published) / f"{prefix}{role}.json", metadata.to_bytes())


def keys_of(delegator: Root | Targets, role: str) -> list[Key]:
    """The keys that may sign `role`."""
    return [delegator.get_key(keyid) for keyid in delegator.get_delegated_role(role).keyids]


def require_signers(delegator: Root | Targets, role: str, signers: Iterable[Signer]) -> None:
    """Raise TrustError unless each signer's key is one of `role`'s in this repository."""
    keyids = delegator.get_delegated_role(role).keyids
    for signer in signers:
        if signer.public_key.keyid not in keyids:
            raise TrustError(
                f"key {signer.public_key.keyid[:12]}… may not sign {role!r} in this repository; "
                "these are not the keys that it was made with"
            )


def role_signers(delegator: Root | Targets, role: str, keys: Path) -> list[Signer]:
    """Signers of `role` from the folder `keys`, as many as its threshold asks for.

    The delegator's metadata says what the role's keys are called. Raises MissingError when too
    few are there, TrustError when one is not the repository's.
    """
    wanted = delegator.get_delegated_role(role)
    names = [owner(delegator.get_key(keyid)) or role for keyid in wanted.keyids]
    here = [name for name in names if holds(keys, name)][: wanted.threshold]
    missing = [name for name in names if name not in here]
    signers = [load_signer(keys, name) for name in (*here, *missing)[: wanted.threshold]]
    require_signers(delegator, role, signers)
    return signers


def _roots(folder: Path) -> list[Metadata[Root]]:
    """The newest root that the chain from the first one leads to, after the one before it."""
    first = load(folder / ROOT_FILE, Root)
    verify(first.signed, first, "root")
    roots = [first]
    while (path := folder / f"{roots[-1].signed.version + 1}.root.json").exists():
        new = load(path, Root)
        verify(roots[-1].signed, new, "root")
        verify(new.signed, new, "root")
        if new.signed.version != roots[-1].signed.version + 1:
            raise TrustError(f"{path} says it is version {new.signed.version}")
        roots = [roots[-1], new]
    return roots


def _verify_by_either(roots: list[Metadata[Root]], metadata: Metadata[S], role: str) -> None:
    try:
        verify(roots[-1].signed, metadata, role)
    except TrustError:
        if len(roots) == 1:
            raise
        verify(roots[0].signed, metadata, role)


def _load_named(folder: Path, role: str, kind: type[S], named: MetaFile) -> Metadata[S]:
    path = folder / f"{named.version}.{role}.json"
    data = read_bounded(path, MAX_METADATA_BYTES)
    try:
        named.verify_length_and_hashes(data)
    except RepositoryError as error:
        raise TrustError(f"{path} is not the file that the metadata names: {error}") from error
    metadata = _parse(path, data, kind)
    if metadata.signed.version != named.version:
        raise TrustError(f"{path} says it is version {metadata.signed.version}")
    return metadata


def load(path: Path, kind: type[S]) -> Metadata[S]:
    """The metadata in the file at `path`, its signatures not yet verified. Raises TrustError."""
    return _parse(path, read_bounded(path, MAX_METADATA_BYTES), kind)


def _parse(path: Path, data: bytes, kind: type[S]) -> Metadata[S]:
    try:
        metadata = cast(Metadata[S], Metadata.from_bytes(data))
    except DeserializationError as error:
        raise TrustError(f"{path} is not TUF metadata") from error
    if not isinstance(metadata.signed, kind):
        raise TrustError(f"{path} holds {metadata.signed.type} metadata, not {kind.type}")
    return metadata


def verify(delegator: Root | Targets, metadata: Metadata[S], role: str) -> None:
    """Raise TrustError unless `metadata` has the signatures that `delegator` asks for `role`."""
    try:
        delegator.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    except (RepositoryError, ValueError) as error:
        raise TrustError(f"the published {role!r} metadata does not verify: {error}") from error
