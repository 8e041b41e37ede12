"""A release that may be published: bytes, verdict and attestations are what they must be."""

from dataclasses import dataclass
from pathlib import Path

from tuf.api.metadata import TargetFile

from edge_runtime.contract import Offer, Release, digest
from edgefactory.datasets.errors import GateError, TrustError
from edgefactory.registry import attestations, history
from edgefactory.registry import tree as trees
from edgefactory.registry.files import parse, read_blob, read_bounded
from edgefactory.registry.gate import BLOBS, MAX_RELEASE_BYTES, RELEASE_FILE, Verdict, refuse
from edgefactory.registry.tree import RELEASES, Tree

MAX_VERDICT_BYTES = 1 << 20


@dataclass(frozen=True)
class Passed:
    """A release folder whose every byte was checked, with a verdict that lets these bytes pass."""

    folder: Path
    data: bytes
    release: Release
    verdict: bytes
    attestations: bytes

    @property
    def path(self) -> str:
        return f"releases/{self.release.name}/{self.release.version}/{RELEASE_FILE}"

    @property
    def offer(self) -> Offer:
        return Offer(self.release.sequence, digest(self.data), self.path)

    def target(self, before: str | None = None) -> TargetFile:
        """How it is signed; `before` is the digest of the history before it."""
        custom: dict[str, object] = {
            "model": self.release.name,
            "version": self.release.version,
            "sequence": self.release.sequence,
            "attestations": digest(self.attestations),  # which name the verdict
        }
        if before is not None:
            custom["history"] = before
        hashes = {"sha256": digest(self.data)}
        return TargetFile(len(self.data), hashes, self.path, {"custom": custom})

    def past(self) -> history.Past:
        """As the history will know it."""
        release, sha256 = self.release, digest(self.data)
        return history.Past(
            release.version,
            release.sequence,
            sha256,
            len(self.data),
            attestations=digest(self.attestations),
        )


def read_passed(tree: Tree, folder: Path, verdict_file: Path) -> Passed:
    """The release in `folder`, every byte checked, with its verdict and its attestations.

    Raises GateError when the verdict is no, TrustError when anything is about other bytes, missing
    or forged.
    """
    verdict_bytes = read_bounded(verdict_file, MAX_VERDICT_BYTES)
    verdict = parse(verdict_bytes, Verdict, str(verdict_file))
    data = read_bounded(folder / RELEASE_FILE, MAX_RELEASE_BYTES)
    release = parse(data, Release, str(folder / RELEASE_FILE))
    if verdict.release != digest(data):
        raise TrustError(
            f"{verdict_file} is about release {verdict.release[:12]}…, not about these bytes "
            f"({digest(data)[:12]}…); run the gate on this release"
        )
    refuse(verdict)
    if not any(finding.rule == "bound_to_bytes" for finding in verdict.rules):
        raise GateError(f"{verdict_file} does not say that the figures are bound to the bytes")
    for sha256, ref in release.files().items():
        read_blob(folder / BLOBS / sha256, ref)
    bundle = attestations.read_bundle(folder, verdict_file)
    judged = attestations.Judged(data, release, verdict_bytes)
    attestations.check_bundle(bundle, judged, trees.keys_of(tree.targets.signed, RELEASES))
    return Passed(folder, data, release, verdict_bytes, bundle)
