"""Making the TUF repository, changing it by signed requests, and keeping it fresh."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from securesystemslib.signer import Signer
from tuf.api.metadata import (
    Delegations,
    Metadata,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from edgefactory.datasets.errors import MissingError, TrustError
from edgefactory.registry import tree as trees
from edgefactory.registry.files import locked, write_atomic
from edgefactory.registry.keys import (
    APPROVERS,
    EMERGENCY_KEYS,
    ROOT_KEYS,
    TARGETS_KEYS,
    load_signer,
    public_in,
)
from edgefactory.registry.requests import Request, lacking, sign_request
from edgefactory.registry.review import new_releases, review
from edgefactory.registry.rotation import THRESHOLDS, new_role
from edgefactory.registry.tree import EMERGENCY, RELEASES, ROLLOUT, ROOT_FILE, S, Tree

REFRESH_AT = trees.EXPIRY["timestamp"] * 3 / 4  # of life left: a daily job finds it due each time
SOON = timedelta(days=30)  # before offline metadata expires, people are told

HOLDERS = {
    "root": ROOT_KEYS,
    "targets": TARGETS_KEYS,
    RELEASES: APPROVERS,
    EMERGENCY: EMERGENCY_KEYS,
    ROLLOUT: (ROLLOUT,),
    "snapshot": ("snapshot",),
    "timestamp": ("timestamp",),
}


@dataclass(frozen=True)
class Freshness:
    """What a refresh came to: whether it signed, until when that holds, and what people must renew.

    `soon` are the roles signed offline that expire within 30 days.
    """

    changed: bool
    expires: datetime
    soon: Mapping[str, datetime]


def propose_repository(public: Path, now: datetime | None = None) -> Request:
    """The request for an empty repository whose keys are those in the folder `public`.

    Raises MissingError unless a public key is there for each of KEY_NAMES.
    """
    now = now or trees.utc_now()
    root = Root(expires=trees.expiry("root", now), consistent_snapshot=True)
    for role in ("root", "targets", "snapshot", "timestamp"):
        for name in HOLDERS[role]:
            root.add_key(public_in(public, name), role)
        root.roles[role].threshold = THRESHOLDS[role]
    delegated = {
        role: [public_in(public, name) for name in HOLDERS[role]]
        for role in (RELEASES, EMERGENCY, ROLLOUT)
    }
    delegations = Delegations(
        keys={key.keyid: key for keys in delegated.values() for key in keys},
        roles={role: new_role(role, [k.keyid for k in keys]) for role, keys in delegated.items()},
    )
    targets = Targets(expires=trees.expiry("targets", now), delegations=delegations)
    below = {
        "targets": Metadata(targets),
        RELEASES: Metadata(Targets(expires=trees.expiry(RELEASES, now))),
        EMERGENCY: Metadata(Targets(expires=trees.expiry(EMERGENCY, now))),
    }
    return Request(Metadata(root), below)


def init_repository(published: Path, keys: Path, now: datetime | None = None) -> Path:
    """Make an empty repository in `published` from the keys in `keys`; returns its first root.

    That root is what a site is enrolled with. A repository that was made with the same keys is
    left as it is; one of other keys is refused with TrustError. For a demo: one folder holds all
    the keys. People who keep theirs apart use `propose_repository` and `apply_request`.
    """
    now = now or trees.utc_now()
    first_root = trees.metadata_folder(published) / ROOT_FILE
    if (trees.metadata_folder(published) / "timestamp.json").exists():
        trees.role_signers(trees.load_tree(published).root.signed, "root", keys)
        return first_root
    request = propose_repository(keys, now)
    for role in request.roles():
        for name in HOLDERS[role][: THRESHOLDS[role]]:
            sign_request(request, None, load_signer(keys, name))
    apply_request(published, request, keys, now)
    return first_root


def apply_request(
    published: Path, request: Request, keys: Path, now: datetime | None = None
) -> bool:
    """Put a signed request into force; `keys` are the online ones. False: it is in force already.

    Readers find the old state or the new one, also after a kill; then running it again finishes
    it. Raises TrustError when it lacks signatures or was made for another state of the tree.
    """
    now = now or trees.utc_now()
    with locked(published):
        if not (trees.metadata_folder(published) / "timestamp.json").exists():
            _found(published, request, keys, now)
            return True
        tree = trees.load_tree(published)
        request = _outstanding(request, tree)
        if not request.roles():
            return False
        review(request, tree, now)
        if new_releases(request, tree):
            raise TrustError("the request releases something; `release publish` puts it into force")
        _require_signed(request, tree)
        _require_whole(request, tree)
        targets = request.below.get("targets", tree.targets)
        changed = dict(request.below)
        if not targets.signed.get_verification_result(
            ROLLOUT, tree.rollout.signed_bytes, tree.rollout.signatures
        ):
            changed[ROLLOUT] = trees.next_version(tree.rollout, ROLLOUT, now)
            trees.sign(changed[ROLLOUT], trees.role_signers(targets.signed, ROLLOUT, keys))
        for path, data in request.files.items():
            prefixed = TargetFile.from_data(path, data, ["sha256"]).get_prefixed_paths()[0]
            write_atomic(published / "targets" / prefixed, data)
        commit(published, keys, tree, changed, now, request.root)
    return True


def refresh(keys: Path, published: Path, now: datetime | None = None) -> None:
    """Sign rollout, snapshot and timestamp anew, so that sites go on trusting them.

    Raises TrustError when the tree does not verify or the keys are not its own.
    """
    now = now or trees.utc_now()
    with locked(published):
        tree = trees.load_tree(published)
        rollout = trees.next_version(tree.rollout, ROLLOUT, now)
        sign_rollout(tree, rollout, keys)
        commit(published, keys, tree, {ROLLOUT: rollout}, now)


def refresh_if_due(keys: Path, published: Path, now: datetime | None = None) -> bool:
    """Refresh the tree when a quarter of its timestamp's life has gone; returns whether it was.

    Raises as `refresh`.
    """
    now = now or trees.utc_now()
    due = trees.load_tree(published).timestamp_expires - now < REFRESH_AT
    if due:
        refresh(keys, published, now)
    return due


def keep_fresh(keys: Path, published: Path, now: datetime | None = None) -> Freshness:
    """`refresh_if_due`, for a daily job: also says what people must soon sign.

    Raises as `refresh`, and TrustError when what they sign has expired: sites then refuse the tree,
    however fresh the rest is.
    """
    now = now or trees.utc_now()
    changed = refresh_if_due(keys, published, now)
    tree = trees.load_tree(published)
    offline = {
        "root": tree.root.signed.expires,
        "targets": tree.targets.signed.expires,
        RELEASES: tree.releases.signed.expires,
    }
    if tree.emergency is not None:
        offline[EMERGENCY] = tree.emergency.signed.expires
    for role, expires in offline.items():
        if expires <= now:
            raise TrustError(
                f"{role!r} expired on {expires:%Y-%m-%d}, so sites refuse this tree; "
                f"`repo rotate --renew {role}` makes a request for its holders to sign"
            )
    soon = {role: expires for role, expires in offline.items() if expires - now < SOON}
    return Freshness(changed, tree.timestamp_expires, soon)


def sign_rollout(tree: Tree, rollout: Metadata[Targets], keys: Path) -> None:
    """Sign rollout metadata by the rollout key, after checking that it is this tree's."""
    trees.sign(rollout, trees.role_signers(tree.targets.signed, ROLLOUT, keys))


def commit(
    published: Path,
    keys: Path,
    tree: Tree,
    changed: Mapping[str, Metadata[Targets]],
    now: datetime,
    root: Metadata[Root] | None = None,
) -> None:
    """Write the `changed` roles, already signed, then a snapshot of all, then the timestamp.

    Until the timestamp is replaced, readers go on finding the tree as it was. A new `root` comes
    last, with all below it signed by the old keys and the new ones, so that it verifies before
    and after; only where an old key is lost does it come first, and readers wait for the rest.
    """
    snapshot, timestamp = _sealed(keys, tree, changed, now, root)
    targets = changed.get("targets", tree.targets)
    seamless = (
        _verifies(tree.root, snapshot, "snapshot")
        and _verifies(tree.root, timestamp, "timestamp")
        and _verifies(tree.root, targets, "targets")
    )
    if root is not None and not seamless:
        trees.store(published, "root", root)
    for role, metadata in changed.items():
        trees.store(published, role, metadata)
    trees.store(published, "snapshot", snapshot)
    trees.store(published, "timestamp", timestamp)
    if root is not None and seamless:
        trees.store(published, "root", root)


def _sealed(
    keys: Path,
    tree: Tree,
    changed: Mapping[str, Metadata[Targets]],
    now: datetime,
    root: Metadata[Root] | None,
) -> tuple[Metadata[Snapshot], Metadata[Timestamp]]:
    """The next snapshot, of `changed` and all else, and the timestamp that names it, signed."""
    named = {f"{role}.json": trees.meta_file(metadata) for role, metadata in changed.items()}
    snapshot = Metadata(
        Snapshot(
            version=tree.snapshot_version + 1,
            expires=trees.expiry("snapshot", now),
            meta={**tree.meta, **named},
        )
    )
    trees.sign(snapshot, _online_signers(tree, root, "snapshot", keys))
    timestamp = Metadata(
        Timestamp(
            version=tree.timestamp_version + 1,
            expires=trees.expiry("timestamp", now),
            snapshot_meta=trees.meta_file(snapshot),
        )
    )
    trees.sign(timestamp, _online_signers(tree, root, "timestamp", keys))
    return snapshot, timestamp


def _online_signers(
    tree: Tree, root: Metadata[Root] | None, role: str, keys: Path
) -> tuple[Signer, ...]:
    signers = trees.role_signers((root or tree.root).signed, role, keys)
    if root is not None:
        with contextlib.suppress(MissingError):
            signers += trees.role_signers(tree.root.signed, role, keys)
    return tuple({signer.public_key.keyid: signer for signer in signers}.values())


def _verifies(root: Metadata[Root], metadata: Metadata[S], role: str) -> bool:
    return bool(
        root.signed.get_verification_result(role, metadata.signed_bytes, metadata.signatures)
    )


def _found(published: Path, request: Request, keys: Path, now: datetime) -> None:
    """The first commit of all."""
    review(request, None, now)
    _require_signed(request, None)
    if request.root is None or set(request.below) != {"targets", RELEASES, EMERGENCY}:
        raise TrustError("the request is not for a new repository, and there is none here yet")
    targets, releases = request.below["targets"], request.below[RELEASES]
    rollout = Metadata(Targets(expires=trees.expiry(ROLLOUT, now)))
    trees.sign(rollout, trees.role_signers(targets.signed, ROLLOUT, keys))
    tree = Tree(request.root, targets, releases, rollout, {}, 0, 0, now)
    trees.store(published, "root", request.root)
    commit(published, keys, tree, {**request.below, ROLLOUT: rollout}, now)


def _outstanding(request: Request, tree: Tree) -> Request:
    """`request` without the roles that are in force already, to the byte of what was signed."""
    current: dict[str, Metadata[Targets] | None] = {
        "targets": tree.targets,
        RELEASES: tree.releases,
        EMERGENCY: tree.emergency,
    }

    def in_force(role: str, metadata: Metadata[Targets]) -> bool:
        held = current[role]
        return held is not None and held.signed_bytes == metadata.signed_bytes

    below = {role: found for role, found in request.below.items() if not in_force(role, found)}
    root = request.root
    if root is not None and root.signed_bytes == tree.root.signed_bytes:
        root = None
    return Request(root, below, request.files if EMERGENCY in below else {})


def _require_signed(request: Request, tree: Tree | None) -> None:
    for role, says in lacking(request, tree).items():
        raise TrustError(f"{role!r} does not verify yet: {says}")


def _require_whole(request: Request, tree: Tree) -> None:
    """Raise TrustError when what the request leaves as it is would not verify after it."""
    root = request.root or tree.root
    targets = request.below.get("targets", tree.targets)
    trees.verify(root.signed, targets, "targets")
    kept = {RELEASES: tree.releases, EMERGENCY: tree.emergency}
    for role in set(trees.delegated_roles(targets.signed)) - {ROLLOUT}:
        metadata = request.below.get(role, kept[role])
        if metadata is None:
            raise TrustError(f"the request delegates to {role!r}, and does not bring it")
        trees.verify(targets.signed, metadata, role)
