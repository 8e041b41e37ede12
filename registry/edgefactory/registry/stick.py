"""The part of a published tree that the sites of a region need, for those without network.

Its metadata is the tree's own, signed by the same keys, but for the timestamp: that is signed
anew, names the region, and lives as long as what it vouches for. Sites take it from a stick only,
and only one for their region; their high-water marks refuse older ones.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tuf.api.metadata import Metadata, Snapshot, TargetFile, Timestamp

from edge_runtime.contract import FileRef, Release, Rollout
from edgefactory.datasets.errors import MissingError, TrustError
from edgefactory.registry import tree as trees
from edgefactory.registry.files import copy_blob, parse, read_blob, read_bounded, write_atomic
from edgefactory.registry.tree import Tree

GROUP_FIELD = "x-edgefactory-group"  # as `edge_runtime.trust.origin` reads it


@dataclass(frozen=True)
class Exported:
    """What lies on a stick, and until when sites take it."""

    models: tuple[str, ...]
    expires: datetime
    bytes: int


def export_stick(
    published: Path, keys: Path, group: str, to: Path, now: datetime | None = None
) -> Exported:
    """Write the stick for the sites whose region is `group` to the folder `to`.

    Of `keys` only the timestamp's is needed. The timestamp is written last: a stick that was pulled
    out before has none, or the one before. Files of an earlier export are kept. Raises MissingError
    when no rollout is for that region, TrustError when the tree does not verify or has expired.
    """
    now = now or trees.utc_now()
    tree = trees.load_tree(published)
    rollouts = dict(_rollouts(published, tree, group))
    if not rollouts:
        raise MissingError(f"no rollout in {published} is for the region {group!r}")
    folder = trees.metadata_folder(published)
    snapshot = trees.load(folder / f"{tree.snapshot_version}.snapshot.json", Snapshot)
    timestamp = _timestamp(tree, snapshot, keys, group, now)
    total = 0
    for ref in _blobs(published, tree, rollouts.values()):
        copy_blob(published / "blobs" / ref.sha256, ref, to / "blobs")
        total += ref.bytes
    for target in _documents(tree, rollouts):
        name = target.get_prefixed_paths()[0]
        ref = FileRef(target.hashes["sha256"], target.length)
        write_atomic(to / "targets" / name, read_blob(published / "targets" / name, ref))
        total += ref.bytes
    for path in _current(published, tree):
        data = read_bounded(path, trees.MAX_METADATA_BYTES)
        write_atomic(to / "metadata" / path.name, data)
        total += len(data)
    trees.store(to, "timestamp", timestamp)
    return Exported(tuple(sorted(rollouts)), timestamp.signed.expires, total)


def _rollouts(published: Path, tree: Tree, group: str) -> Iterator[tuple[str, Rollout]]:
    for path, target in tree.rollout.signed.targets.items():
        rollout = parse(_document(published, target), Rollout, path)
        if not rollout.regions or group in rollout.regions:
            yield rollout.model, rollout


def _timestamp(
    tree: Tree, snapshot: Metadata[Snapshot], keys: Path, group: str, now: datetime
) -> Metadata[Timestamp]:
    lives = [snapshot.signed.expires, tree.root.signed.expires]
    below = (tree.targets, tree.releases, tree.rollout, tree.emergency)
    lives += [metadata.signed.expires for metadata in below if metadata is not None]
    if min(lives) <= now:
        raise TrustError(
            f"what the stick would vouch for expired on {min(lives):%Y-%m-%d}; run repo refresh"
        )
    signed = Timestamp(
        version=tree.timestamp_version,
        expires=min(lives),
        snapshot_meta=trees.meta_file(snapshot),
        unrecognized_fields={GROUP_FIELD: group},
    )
    metadata = Metadata(signed)
    trees.sign(metadata, trees.role_signers(tree.root.signed, "timestamp", keys))
    return metadata


def _blobs(published: Path, tree: Tree, rollouts: Iterable[Rollout]) -> Iterator[FileRef]:
    """Every file of the releases that sites shall run. Patches stay: a stick is no thin link."""
    for rollout in rollouts:
        target = tree.releases.signed.targets[rollout.release_path]
        data = _document(published, target)
        yield from parse(data, Release, rollout.release_path).files().values()


def _documents(tree: Tree, rollouts: Mapping[str, Rollout]) -> Iterator[TargetFile]:
    """Rollouts and releases, and all block lists: they are short, and must not be missed."""
    for model, rollout in rollouts.items():
        yield tree.rollout.signed.targets[f"rollout/{model}.json"]
        yield tree.releases.signed.targets[rollout.release_path]
    if tree.emergency is not None:
        yield from tree.emergency.signed.targets.values()


def _document(published: Path, target: TargetFile) -> bytes:
    path = published / "targets" / target.get_prefixed_paths()[0]
    return read_blob(path, FileRef(target.hashes["sha256"], target.length))


def _current(published: Path, tree: Tree) -> Iterator[Path]:
    """The metadata files of this state, roots first, without the timestamp."""
    folder = trees.metadata_folder(published)
    for version in range(1, tree.root.signed.version + 1):
        yield folder / f"{version}.root.json"
    for name, meta in tree.meta.items():
        yield folder / f"{meta.version}.{name}"
    yield folder / f"{tree.snapshot_version}.snapshot.json"
