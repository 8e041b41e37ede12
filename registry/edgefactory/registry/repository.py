"""Making the TUF repository, and keeping it fresh."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    Root,
    Snapshot,
    Targets,
    Timestamp,
)

from edgefactory.registry import tree as trees
from edgefactory.registry.files import locked
from edgefactory.registry.keys import APPROVERS, ROOT_KEYS, TARGETS_KEYS, load_signer
from edgefactory.registry.tree import RELEASES, ROLLOUT, ROOT_FILE, Tree

ROOT_THRESHOLD = 2
TARGETS_THRESHOLD = 2
RELEASES_THRESHOLD = 2
RELEASE_PATHS = "releases/*/*/release.json"
ROLLOUT_PATHS = "rollout/*.json"


def init_repository(published: Path, keys: Path, now: datetime | None = None) -> Path:
    """Make an empty repository in `published` from the keys in `keys`; returns its first root.

    That root is what a site is enrolled with. A repository that was made with the same keys is
    left as it is; one of other keys is refused with TrustError.
    """
    now = now or trees.utc_now()
    first_root = trees.metadata_folder(published) / ROOT_FILE
    with locked(published):
        if (trees.metadata_folder(published) / "timestamp.json").exists():
            tree = trees.load_tree(published)
            signers = [load_signer(keys, name) for name in ROOT_KEYS]
            trees.require_signers(tree.root.signed, "root", signers)
            return first_root
        root, targets = _first_root(keys, now), _first_targets(keys, now)
        releases = Metadata(Targets(expires=trees.expiry(RELEASES, now)))
        trees.sign(releases, [load_signer(keys, name) for name in APPROVERS])
        rollout = Metadata(Targets(expires=trees.expiry(ROLLOUT, now)))
        trees.sign(rollout, [load_signer(keys, ROLLOUT)])
        changed = {RELEASES: releases, ROLLOUT: rollout, "targets": targets}
        trees.store(published, "root", root)
        commit(published, keys, Tree(root, targets, releases, rollout, {}, 0, 0, now), changed, now)
    return first_root


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
    """Refresh the tree when half of its timestamp's life has gone; returns whether it was.

    For whoever serves a tree that may have lain for days. Raises as `refresh`.
    """
    now = now or trees.utc_now()
    due = trees.load_tree(published).timestamp_expires - now < trees.EXPIRY["timestamp"] / 2
    if due:
        refresh(keys, published, now)
    return due


def sign_rollout(tree: Tree, rollout: Metadata[Targets], keys: Path) -> None:
    """Sign rollout metadata by the rollout key, after checking that it is this tree's."""
    signers = [load_signer(keys, ROLLOUT)]
    trees.require_signers(tree.targets.signed, ROLLOUT, signers)
    trees.sign(rollout, signers)


def commit(
    published: Path,
    keys: Path,
    tree: Tree,
    changed: Mapping[str, Metadata[Targets]],
    now: datetime,
) -> None:
    """Write the `changed` roles, already signed, then a snapshot of all, then the timestamp.

    Until the timestamp is replaced, readers go on finding the tree as it was.
    """
    snapshot_signer, timestamp_signer = (
        load_signer(keys, "snapshot"),
        load_signer(keys, "timestamp"),
    )
    trees.require_signers(tree.root.signed, "snapshot", [snapshot_signer])
    trees.require_signers(tree.root.signed, "timestamp", [timestamp_signer])
    named = {f"{role}.json": trees.meta_file(metadata) for role, metadata in changed.items()}
    snapshot = Metadata(
        Snapshot(
            version=tree.snapshot_version + 1,
            expires=trees.expiry("snapshot", now),
            meta={**tree.meta, **named},
        )
    )
    trees.sign(snapshot, [snapshot_signer])
    timestamp = Metadata(
        Timestamp(
            version=tree.timestamp_version + 1,
            expires=trees.expiry("timestamp", now),
            snapshot_meta=trees.meta_file(snapshot),
        )
    )
    trees.sign(timestamp, [timestamp_signer])
    for role, metadata in changed.items():
        trees.store(published, role, metadata)
    trees.store(published, "snapshot", snapshot)
    trees.store(published, "timestamp", timestamp)


def _first_root(keys: Path, now: datetime) -> Metadata[Root]:
    root = Root(expires=trees.expiry("root", now), consistent_snapshot=True)
    holders = {
        "root": ROOT_KEYS,
        "targets": TARGETS_KEYS,
        "snapshot": ("snapshot",),
        "timestamp": ("timestamp",),
    }
    for role, names in holders.items():
        for name in names:
            root.add_key(load_signer(keys, name).public_key, role)
    root.roles["root"].threshold = ROOT_THRESHOLD
    root.roles["targets"].threshold = TARGETS_THRESHOLD
    metadata = Metadata(root)
    trees.sign(metadata, [load_signer(keys, name) for name in ROOT_KEYS[:ROOT_THRESHOLD]])
    return metadata


def _first_targets(keys: Path, now: datetime) -> Metadata[Targets]:
    approvers = [load_signer(keys, name).public_key for name in APPROVERS]
    rollout = load_signer(keys, ROLLOUT).public_key
    delegations = Delegations(
        keys={key.keyid: key for key in (*approvers, rollout)},
        roles={
            RELEASES: DelegatedRole(
                RELEASES,
                [key.keyid for key in approvers],
                RELEASES_THRESHOLD,
                terminating=True,
                paths=[RELEASE_PATHS],
            ),
            ROLLOUT: DelegatedRole(
                ROLLOUT, [rollout.keyid], 1, terminating=True, paths=[ROLLOUT_PATHS]
            ),
        },
    )
    metadata = Metadata(Targets(expires=trees.expiry("targets", now), delegations=delegations))
    signers = [load_signer(keys, name) for name in TARGETS_KEYS[:TARGETS_THRESHOLD]]
    trees.sign(metadata, signers)
    return metadata
