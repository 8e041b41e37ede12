"""A TUF repository of static files, as the factory publishes it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from edge_runtime.contract import Rollout, digest, encode

from .models import Built

ROLES = ("root", "targets", "snapshot", "timestamp", "releases", "rollout")


class Publisher:
    """A TUF repository of static files, as the factory publishes it, one key a role."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = {role: CryptoSigner.generate_ed25519() for role in ROLES}
        self.versions = dict.fromkeys(ROLES, 0)
        self.life = dict.fromkeys(ROLES, timedelta(days=30))
        self.targets: dict[str, dict[str, TargetFile]] = {"releases": {}, "rollout": {}}
        self.now = datetime.now(UTC)
        for name in ("metadata", "targets", "blobs"):
            (folder / name).mkdir(parents=True)
        self.sign_root()
        self.sign()

    @property
    def root(self) -> bytes:
        """The first root, which sites are enrolled with."""
        return (self.folder / "metadata" / "1.root.json").read_bytes()

    def _write(
        self, role: str, signed: Targets | Snapshot | Timestamp, key: CryptoSigner | None = None
    ) -> None:
        metadata: Metadata[Any] = Metadata(signed)
        metadata.sign(key or self.keys[role])
        name = f"{role}.json" if role == "timestamp" else f"{signed.version}.{role}.json"
        (self.folder / "metadata" / name).write_bytes(metadata.to_bytes())

    def _next(self, role: str) -> tuple[int, datetime]:
        self.versions[role] += 1
        return self.versions[role], (self.now + self.life[role]).replace(microsecond=0)

    def sign_root(self, *also_by: CryptoSigner) -> None:
        """Write the next root; `also_by` are the outgoing root keys, when they change."""
        version, expires = self._next("root")
        root = Root(version=version, expires=expires, consistent_snapshot=True)
        for role in ("root", "targets", "snapshot", "timestamp"):
            root.add_key(self.keys[role].public_key, role)
        metadata = Metadata(root)
        for signer in (self.keys["root"], *also_by):
            metadata.sign(signer, append=True)
        (self.folder / "metadata" / f"{version}.root.json").write_bytes(metadata.to_bytes())

    def sign(self, releases_key: CryptoSigner | None = None) -> None:
        """Write the next version of every role below root; `releases_key` forges its signature."""
        snapshot_meta = {}
        for role in ("releases", "rollout"):
            version, expires = self._next(role)
            forged = releases_key if role == "releases" else None
            self._write(role, Targets(version, None, expires, self.targets[role]), forged)
            snapshot_meta[f"{role}.json"] = MetaFile(version)
        version, expires = self._next("targets")
        self._write("targets", Targets(version, None, expires, {}, self._delegations()))
        snapshot_meta["targets.json"] = MetaFile(version)
        version, expires = self._next("snapshot")
        self._write("snapshot", Snapshot(version, None, expires, snapshot_meta))
        snapshot = MetaFile(version)
        version, expires = self._next("timestamp")
        self._write("timestamp", Timestamp(version, None, expires, snapshot))

    def _delegations(self) -> Delegations:
        keys = {role: self.keys[role].public_key for role in ("releases", "rollout")}
        paths = {"releases": ["releases/*/*/release.json"], "rollout": ["rollout/*.json"]}
        roles = {
            role: DelegatedRole(role, [key.keyid], 1, True, paths[role])
            for role, key in keys.items()
        }
        return Delegations({key.keyid: key for key in keys.values()}, roles)

    def _target(self, role: str, path: str, data: bytes) -> None:
        self.targets[role][path] = TargetFile.from_data(path, data, ["sha256"])
        folder, _, name = path.rpartition("/")
        place = self.folder / "targets" / folder
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{digest(data)}.{name}").write_bytes(data)

    def publish(
        self, built: Built, bound: int = 16384, releases_key: CryptoSigner | None = None
    ) -> Rollout:
        """Publish a release, with its blobs, and a rollout that names it."""
        release = built.release
        for sha256, data in built.blobs.items():
            (self.folder / "blobs" / sha256).write_bytes(data)
        path = f"releases/{release.name}/{release.version}/release.json"
        self._target("releases", path, built.data)
        rollout = Rollout(
            schema="rollout/1",
            model=release.name,
            sequence=release.sequence,
            release=digest(built.data),
            release_path=path,
            bound=bound,
        )
        self.roll_out(rollout, releases_key)
        return rollout

    def roll_out(self, rollout: Rollout, releases_key: CryptoSigner | None = None) -> None:
        """Sign `rollout` as it is."""
        self._target("rollout", f"rollout/{rollout.model}.json", encode(rollout))
        self.sign(releases_key)
