"""From a release that passed its gate to a release that sites can find: two signatures, one write.

A request is the next `releases` metadata, still unsigned. The line and the model-risk approver
each check it against the release, the verdict and the state of the tree, and sign it, in any order
and on any machine, each with a key that the other never sees; `publish` takes it when both have.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from securesystemslib.signer import Signer
from tuf.api.metadata import Metadata, TargetFile, Targets

from edge_runtime.contract import Offer, Release, Rollout, digest, encode
from edgefactory.datasets.errors import GateError, InputError, TrustError
from edgefactory.registry import tree as trees
from edgefactory.registry.emergency import refuse_blocked
from edgefactory.registry.files import (
    copy_blob,
    locked,
    parse,
    read_blob,
    read_bounded,
    write_atomic,
)
from edgefactory.registry.gate import BLOBS, MAX_RELEASE_BYTES, RELEASE_FILE, Verdict, refuse
from edgefactory.registry.patching import PatchSet, patch_set
from edgefactory.registry.repository import commit, sign_rollout
from edgefactory.registry.requests import Request, read_request, write_request
from edgefactory.registry.review import review
from edgefactory.registry.rollouts import documents, succession
from edgefactory.registry.settings import RolloutSettings
from edgefactory.registry.tree import RELEASES, ROLLOUT, Tree

MAX_VERDICT_BYTES = 1 << 20


@dataclass(frozen=True)
class Published:
    """What sites find now; `changed` is False when they found exactly this before."""

    changed: bool
    digest: str
    model: str
    version: str
    sequence: int


@dataclass(frozen=True)
class _Passed:
    """A release folder whose every byte was checked, with a verdict that lets these bytes pass."""

    folder: Path
    data: bytes
    release: Release
    verdict: bytes

    @property
    def path(self) -> str:
        return f"releases/{self.release.name}/{self.release.version}/{RELEASE_FILE}"

    @property
    def offer(self) -> Offer:
        return Offer(self.release.sequence, digest(self.data), self.path)

    def target(self) -> TargetFile:
        custom = {
            "model": self.release.name,
            "version": self.release.version,
            "sequence": self.release.sequence,
            "verdict": digest(self.verdict),
        }
        hashes = {"sha256": digest(self.data)}
        return TargetFile(len(self.data), hashes, self.path, {"custom": custom})


def propose(release: Path, verdict: Path, published: Path) -> bytes:
    """The request to publish `release`: the next `releases` metadata, to be signed by two.

    Raises GateError when the verdict is no, TrustError when it is about other bytes, when a blob
    is not what release.json states, when the sequence does not rise, or the release is blocked.
    """
    tree, passed = trees.load_tree(published), _passed(release, verdict)
    refuse_blocked(published, tree, passed.release.name, passed.offer)
    return write_request(Request(None, {RELEASES: _next_releases(tree, passed, trees.utc_now())}))


def approve(request: bytes, release: Path, verdict: Path, published: Path, signer: Signer) -> bytes:
    """`request` with the signature of `signer` added, who has checked what it asks for.

    Raises as `propose`; TrustError also when the request asks for anything but this release in
    this state of the tree, or when the key may not sign releases.
    """
    tree, passed = trees.load_tree(published), _passed(release, verdict)
    refuse_blocked(published, tree, passed.release.name, passed.offer)
    asked = read_request(request)
    metadata = _require_same(asked, tree, passed, trees.utc_now())
    trees.require_signers(tree.targets.signed, RELEASES, [signer])
    trees.add_signature(metadata, signer)
    return write_request(asked)


def publish(
    release: Path,
    verdict: Path,
    keys: Path,
    published: Path,
    rollout: RolloutSettings | None = None,
    request: bytes | None = None,
) -> Published:
    """Make `release` what sites of `rollout` should run.

    With a `request` that two have signed, only the online keys are taken from `keys`; without
    one, the signatures of the line and the approver are made here as well. Publishing what is
    already published changes nothing. A reader at any instant, and after a kill at any write,
    finds either the old state or the new one.
    Raises as `propose`; TrustError when the request lacks a signature or was made for another
    state of the tree; StorageError when another publisher is at work.
    """
    now = trees.utc_now()
    passed = _passed(release, verdict)
    with locked(published):
        tree = trees.load_tree(published)
        changed: dict[str, Metadata[Targets]] = {}
        if tree.releases.signed.targets.get(passed.path) != passed.target():
            changed[RELEASES] = _signed_request(tree, passed, keys, request, now)
        else:
            _require_rise(tree, passed.release, or_equal=True)
        refuse_blocked(published, tree, passed.release.name, passed.offer)
        before = documents.current(published, tree, passed.release.name)
        wanted = _rollout(passed, rollout or RolloutSettings())
        following = succession.published(before, wanted, int(now.timestamp()))
        document = encode(following)
        target = TargetFile.from_data(f"rollout/{passed.release.name}.json", document, ["sha256"])
        present = tree.rollout.signed.targets.get(target.path)
        patches = None
        if present is None or present.hashes != target.hashes:
            if following.release == digest(passed.data):
                patches = _patches(published, tree, passed)
            elif present is not None:
                target.unrecognized_fields.update(present.unrecognized_fields)
            if patches is not None:
                target.unrecognized_fields["custom"] = patches.custom()
            changed[ROLLOUT] = trees.next_version(tree.rollout, ROLLOUT, now)
            changed[ROLLOUT].signed.targets[target.path] = target
            sign_rollout(tree, changed[ROLLOUT], keys)
        if changed:
            _write_content(published, passed, patches)
            write_atomic(published / "targets" / target.get_prefixed_paths()[0], document)
            commit(published, keys, tree, changed, now)
    kind = passed.release
    return Published(bool(changed), digest(passed.data), kind.name, kind.version, kind.sequence)


def _passed(folder: Path, verdict_file: Path) -> _Passed:
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
    return _Passed(folder, data, release, verdict_bytes)


def _next_releases(tree: Tree, passed: _Passed, now: datetime) -> Metadata[Targets]:
    present = tree.releases.signed.targets.get(passed.path)
    if present is not None and present.hashes != passed.target().hashes:
        raise TrustError(
            f"{passed.path} is published with other bytes; raise `version` and `sequence` in the "
            "release's settings and build it again"
        )
    # The same bytes may come again on another verdict, signed anew.
    _require_rise(tree, passed.release, or_equal=present is not None)
    metadata = trees.next_version(tree.releases, RELEASES, now)
    metadata.signed.targets[passed.path] = passed.target()
    return metadata


def _require_same(
    request: Request, tree: Tree, passed: _Passed, now: datetime
) -> Metadata[Targets]:
    """The metadata of `request`, if it asks for this release in this state, and nothing else."""
    expected = _next_releases(tree, passed, now)
    metadata = request.below.get(RELEASES)
    if metadata is None or set(request.roles()) != {RELEASES}:
        raise TrustError(f"the request is for {', '.join(request.roles())}, not for a release")
    review(request, tree, now)
    if metadata.signed.targets.get(passed.path) != passed.target():
        raise TrustError(
            f"the request does not ask for {passed.path} with SHA-256 {digest(passed.data)[:12]}…"
        )
    if metadata.signed.targets != expected.signed.targets:
        raise TrustError("the request asks for more than this release; make it anew")
    return metadata


def _signed_request(
    tree: Tree, passed: _Passed, keys: Path, request: bytes | None, now: datetime
) -> Metadata[Targets]:
    if request is None:
        metadata = _next_releases(tree, passed, now)
        trees.sign(metadata, trees.role_signers(tree.targets.signed, RELEASES, keys))
    else:
        metadata = _require_same(read_request(request), tree, passed, now)
    trees.verify(tree.targets.signed, metadata, RELEASES)
    return metadata


def _require_rise(tree: Tree, release: Release, or_equal: bool = False) -> None:
    newest = max(
        (
            int(target.custom["sequence"])
            for target in tree.releases.signed.targets.values()
            if target.custom["model"] == release.name
        ),
        default=-1,
    )
    if release.sequence < newest or (release.sequence == newest and not or_equal):
        raise TrustError(
            f"{release.name} {release.version} has sequence {release.sequence}, but {newest} is "
            "published; raise `version` and `sequence` in the release's settings and build it again"
        )


def _rollout(passed: _Passed, settings: RolloutSettings) -> Rollout:
    release = passed.release
    if settings.floor > release.sequence:
        raise InputError(
            f"the rollout's floor {settings.floor} is above the release's sequence "
            f"{release.sequence}: no site could run it"
        )
    return Rollout(
        schema="rollout/1",
        model=release.name,
        sequence=release.sequence,
        release=digest(passed.data),
        release_path=passed.path,
        bound=settings.bound,
        sites=settings.sites,
        hardware=settings.hardware,
        regions=settings.regions,
        floor=settings.floor,
    )


def _patches(published: Path, tree: Tree, passed: _Passed) -> PatchSet | None:
    sha256 = digest(passed.data)
    return patch_set(published, tree, passed.release, sha256, passed.folder / BLOBS)


def _write_content(published: Path, passed: _Passed, patches: PatchSet | None) -> None:
    blobs = published / BLOBS
    for sha256, ref in sorted(passed.release.files().items()):
        copy_blob(passed.folder / BLOBS / sha256, ref, blobs)
    made = patches.blobs if patches else {}
    for data in (passed.verdict, *made.values()):
        write_atomic(blobs / digest(data), data)
    write_atomic(published / "targets" / passed.target().get_prefixed_paths()[0], passed.data)
