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

from edge_runtime.contract import Rollout, digest, encode
from edgefactory.datasets.errors import InputError
from edgefactory.registry import history
from edgefactory.registry import tree as trees
from edgefactory.registry.emergency import refuse_blocked
from edgefactory.registry.files import copy_blob, locked, write_atomic
from edgefactory.registry.gate import BLOBS
from edgefactory.registry.listing import Next, is_signed, next_releases, require_rise, require_same
from edgefactory.registry.passed import Passed, read_passed
from edgefactory.registry.patching import PatchSet, patch_set
from edgefactory.registry.repository import commit, sign_rollout
from edgefactory.registry.requests import Request, read_request, write_request
from edgefactory.registry.rollouts import documents, succession
from edgefactory.registry.settings import RolloutSettings
from edgefactory.registry.tree import RELEASES, ROLLOUT, Tree


@dataclass(frozen=True)
class Published:
    """What sites find now; `changed` is False when they found exactly this before."""

    changed: bool
    digest: str
    model: str
    version: str
    sequence: int


def propose(release: Path, verdict: Path, published: Path) -> bytes:
    """The request to publish `release`: the next `releases` metadata, to be signed by two.

    Raises GateError when the verdict is no, TrustError when it is about other bytes, when a blob
    is not what release.json states, when an attestation is missing, forged or about other bytes,
    when the sequence does not rise, or the release is blocked.
    """
    tree = trees.load_tree(published)
    passed = read_passed(tree, release, verdict)
    refuse_blocked(published, tree, passed.release.name, passed.offer)
    following = next_releases(published, tree, passed, trees.utc_now())
    return write_request(Request(None, {RELEASES: following.metadata}))


def approve(request: bytes, release: Path, verdict: Path, published: Path, signer: Signer) -> bytes:
    """`request` with the signature of `signer` added, who has checked what it asks for.

    Raises as `propose`; TrustError also when the request asks for anything but this release in
    this state of the tree, or when the key may not sign releases.
    """
    tree = trees.load_tree(published)
    passed = read_passed(tree, release, verdict)
    refuse_blocked(published, tree, passed.release.name, passed.offer)
    asked = read_request(request)
    metadata = require_same(asked, published, tree, passed, trees.utc_now()).metadata
    trees.require_signers(tree.targets.signed, RELEASES, [signer])
    trees.add_signature(metadata, signer)
    return write_request(asked)


def is_published(release: Path, verdict: Path, published: Path) -> bool:
    """Whether `release` is published on this very verdict: then there is nothing to sign.

    Raises as `propose`.
    """
    tree = trees.load_tree(published)
    passed = read_passed(tree, release, verdict)
    refuse_blocked(published, tree, passed.release.name, passed.offer)
    return is_signed(tree, passed)


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
    with locked(published):
        tree = trees.load_tree(published)
        passed = read_passed(tree, release, verdict)
        changed: dict[str, Metadata[Targets]] = {}
        past = None
        if not is_signed(tree, passed):
            signed = _signed_request(published, tree, passed, (keys, request), now)
            changed[RELEASES], past = signed.metadata, signed.past.document
        else:
            require_rise(tree, passed.release, or_equal=True)
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
            _write_content(published, passed, patches, past)
            write_atomic(published / "targets" / target.get_prefixed_paths()[0], document)
            commit(published, keys, tree, changed, now)
    kind = passed.release
    return Published(bool(changed), digest(passed.data), kind.name, kind.version, kind.sequence)


def _signed_request(
    published: Path,
    tree: Tree,
    passed: Passed,
    by: tuple[Path, bytes | None],
    now: datetime,
) -> Next:
    """What is signed already, or by the keys of a folder here."""
    keys, request = by
    if request is None:
        following = next_releases(published, tree, passed, now)
        signers = trees.role_signers(tree.targets.signed, RELEASES, keys)
        trees.sign(following.metadata, signers)
    else:
        following = require_same(read_request(request), published, tree, passed, now)
    trees.verify(tree.targets.signed, following.metadata, RELEASES)
    return following


def _rollout(passed: Passed, settings: RolloutSettings) -> Rollout:
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


def _patches(published: Path, tree: Tree, passed: Passed) -> PatchSet | None:
    sha256 = digest(passed.data)
    return patch_set(published, tree, passed.release, sha256, passed.folder / BLOBS)


def _write_content(
    published: Path, passed: Passed, patches: PatchSet | None, past: bytes | None
) -> None:
    blobs = published / BLOBS
    for sha256, ref in sorted(passed.release.files().items()):
        copy_blob(passed.folder / BLOBS / sha256, ref, blobs)
    made = patches.blobs if patches else {}
    for data in (passed.verdict, passed.attestations, *made.values()):
        write_atomic(blobs / digest(data), data)
    if past is not None:
        name = history.file_of(passed.release.name, digest(past))
        write_atomic(published / "targets" / name, past)
    write_atomic(published / "targets" / passed.target().get_prefixed_paths()[0], passed.data)
