"""The factory's own registry, with real keys and thresholds, and what thieves of keys do to it."""

import dataclasses
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path

from tuf.api.metadata import Metadata, MetaFile, Snapshot, Targets, Timestamp

from edge_runtime.contract import Release, digest
from edgefactory.registry import (
    Ban,
    Finding,
    KeyChange,
    RolloutSettings,
    Verdict,
    apply_request,
    attest_release,
    attest_verdict,
    create_key,
    create_keys,
    init_repository,
    propose_ban,
    propose_rotation,
    publish,
    read_public,
    read_request,
    write_verdict,
)
from edgefactory.registry import tree as trees
from edgefactory.registry.keys import EMERGENCY_KEYS, load_signer
from edgefactory.registry.repository import commit

from .models import Built, build
from .serving import Server


@cache
def built(sequence: int) -> Built:
    """A release that every test may use."""
    return build(sequence)


class Registry:
    """The factory's registry behind `server`, with real keys and thresholds."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.published, self.keys = server.folder, folder / "keys"
        create_keys(self.keys)
        self.root = init_repository(self.published, self.keys)
        self._folder = folder

    def publish(self, built: Built, rollout: RolloutSettings | None = None) -> Release:
        """Publish `built` as a release that the gate has passed."""
        folder = self._folder / built.release.version
        (folder / "blobs").mkdir(parents=True, exist_ok=True)
        (folder / "release.json").write_bytes(built.data)
        for sha256, data in built.blobs.items():
            (folder / "blobs" / sha256).write_bytes(data)
        finding = Finding("bound_to_bytes", "release", None, "every file", True)
        verdict = Verdict("verdict/1", digest(built.data), "0" * 64, True, (finding,))
        write_verdict(verdict, folder / "verdict.json")
        tree = trees.load_tree(self.published)
        signer = trees.role_signers(tree.targets.signed, trees.RELEASES, self.keys)[0]
        attest_release(folder, signer)
        attest_verdict(folder, folder / "verdict.json", signer)
        publish(folder, folder / "verdict.json", self.keys, self.published, rollout)
        return built.release

    def ban(self, ban: Ban) -> None:
        """Block or revoke, by two emergency keys."""
        self._enforce(propose_ban(self.published, ban))

    def rotate(self, *roles: tuple[str, str], new: str) -> None:
        """In one step, take each role's key by its name away, and give it one ending in `new`."""
        changes = []
        for role, old in roles:
            public = read_public(create_key(self.keys, f"{role}-{new}", None))
            changes.append(KeyChange(role, (public,), (old,)))
        self.change(*changes)

    def change(self, *changes: KeyChange) -> None:
        """Change the keys of roles, signed by whoever must and has a key in the folder."""
        self._enforce(propose_rotation(self.published, changes))

    def _enforce(self, data: bytes) -> None:
        request, tree = read_request(data), trees.load_tree(self.published)
        names = sorted({path.stem for path in self.keys.iterdir() if path.suffix != ".pub"})
        for signer in (load_signer(self.keys, name) for name in names):
            for role, metadata in request.roles().items():
                delegators = request.delegators(role, tree)
                known = [d.get_delegated_role(role).keyids for d in delegators]
                if any(signer.public_key.keyid in keyids for keyids in known):
                    trees.add_signature(metadata, signer)
        apply_request(self.published, request, self.keys)

    def forge(self, role: str, change: Callable[[Targets], None], *names: str) -> Metadata[Targets]:
        """Commit `role` with a change, signed by the keys `names` whatever its threshold."""
        tree = trees.load_tree(self.published)
        before = {trees.RELEASES: tree.releases, trees.ROLLOUT: tree.rollout}[role]
        metadata = trees.next_version(before, role, trees.utc_now())
        change(metadata.signed)
        trees.sign(metadata, [load_signer(self.keys, name) for name in names])
        commit(self.published, self.keys, tree, {role: metadata}, trees.utc_now())
        return metadata

    def steal_online_keys(
        self,
        change: Callable[[dict[str, MetaFile]], Mapping[str, MetaFile]],
        version: int | None = None,
        keys: tuple[str, str] = ("snapshot", "timestamp"),
    ) -> None:
        """Sign another snapshot by the online keys, at `version`, and a timestamp that names it."""
        tree = trees.load_tree(self.published)
        now = trees.utc_now()
        snapshot = Metadata(
            Snapshot(
                version or tree.snapshot_version + 1,
                expires=trees.expiry("snapshot", now),
                meta=dict(change(dict(tree.meta))),
            )
        )
        trees.sign(snapshot, [load_signer(self.keys, keys[0])])
        timestamp = Metadata(
            Timestamp(
                version or tree.timestamp_version + 1,
                expires=trees.expiry("timestamp", now),
                snapshot_meta=trees.meta_file(snapshot),
            )
        )
        trees.sign(timestamp, [load_signer(self.keys, keys[1])])
        trees.store(self.published, "snapshot", snapshot)
        trees.store(self.published, "timestamp", timestamp)

    def signed_root(self, version: int, expires: datetime, *names: str) -> bytes:
        """The newest root's content as another version, signed by the keys `names`."""
        root = trees.next_version(trees.load_tree(self.published).root, "root", trees.utc_now())
        root.signed.version, root.signed.expires = version, expires
        trees.sign(root, [load_signer(self.keys, name) for name in names])
        return root.to_bytes()

    def meta(self, role: str, version: int) -> MetaFile:
        """How a snapshot names an earlier version of `role`."""
        path = self.published / "metadata" / f"{version}.{role}.json"
        return trees.meta_file(trees.load(path, Targets))

    def drop_emergency(self) -> None:
        """Make the tree one from before there was an emergency role."""
        tree = trees.load_tree(self.published)
        targets = trees.next_version(tree.targets, "targets", trees.utc_now())
        delegations = targets.signed.delegations
        assert delegations is not None
        assert delegations.roles is not None
        for keyid in list(delegations.roles["emergency"].keyids):
            targets.signed.revoke_key(keyid, "emergency")
        del delegations.roles["emergency"]
        trees.sign(targets, [load_signer(self.keys, name) for name in ("targets-1", "targets-2")])
        meta = {name: file for name, file in tree.meta.items() if name != "emergency.json"}
        before = dataclasses.replace(tree, meta=meta)
        commit(self.published, self.keys, before, {"targets": targets}, trees.utc_now())

    def add_emergency(self) -> None:
        """Give the tree an emergency role."""
        public = tuple(read_public(self.keys / f"{name}.pub") for name in EMERGENCY_KEYS)
        self.change(KeyChange("emergency", public))
