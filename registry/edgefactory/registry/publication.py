"""From a release that passed its gate to a release that sites can find: two signatures, one write.

A request is the next `releases` metadata, still unsigned. The line and the model-risk approver
each check it against the release, the verdict and the state of the tree, and sign it, in any order
and on any machine, each with a key that the other never sees; `publish` takes it when both have.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from msgspec import UNSET
from securesystemslib.signer import Signer
from tuf.api.metadata import Metadata, TargetFile, Targets

from edge_runtime.contract import Offer, Release, Rollout, digest, encode
from edgefactory.datasets.errors import GateError, InputError, TrustError
from edgefactory.registry import attestations, history
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


def propose(release: Path, verdict: Path, published: Path) -> bytes:
    """The request to publish `release`: the next `releases` metadata, to be signed by two.

    Raises GateError when the verdict is no, TrustError when it is about other bytes, when a blob
    is not what release.json states, when an attestation is missing, forged or about other bytes,
    when the sequence does not rise, or the release is blocked.
    """
    tree = trees.load_tree(published)
    passed = _passed(tree, release, verdict)
    refuse_blocked(published, tree, passed.release.name, passed.offer)
    following = _next_releases(published, tree, passed, trees.utc_now())
    return write_request(Request(None, {RELEASES: following.metadata}))


def approve(request: bytes, release: Path, verdict: Path, published: Path, signer: Signer) -> bytes:
    """`request` with the signature of `signer` added, who has checked what it asks for.

    Raises as `propose`; TrustError also when the request asks for anything but this release in
    this state of the tree, or when the key may not sign releases.
    """
    tree = trees.load_tree(published)
    passed = _passed(tree, release, verdict)
    refuse_blocked(published, tree, passed.release.name, passed.offer)
    asked = read_request(request)
    metadata = _require_same(asked, published, tree, passed, trees.utc_now()).metadata
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
    with locked(published):
        tree = trees.load_tree(published)
        passed = _passed(tree, release, verdict)
        changed: dict[str, Metadata[Targets]] = {}
        past = None
        if not _is_signed(tree, passed):
            signed = _signed_request(published, tree, passed, (keys, request), now)
            changed[RELEASES], past = signed.metadata, signed.past.document
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
            _write_content(published, passed, patches, past)
            write_atomic(published / "targets" / target.get_prefixed_paths()[0], document)
            commit(published, keys, tree, changed, now)
    kind = passed.release
    return Published(bool(changed), digest(passed.data), kind.name, kind.version, kind.sequence)


def _passed(tree: Tree, folder: Path, verdict_file: Path) -> _Passed:
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
    return _Passed(folder, data, release, verdict_bytes, bundle)


@dataclass(frozen=True)
class _Next:
    """The next `releases` metadata, and what it says of the releases before."""

    metadata: Metadata[Targets]
    past: history.Change


def _is_signed(tree: Tree, passed: _Passed) -> bool:
    """Whether `passed` is published on this very verdict."""
    present = tree.releases.signed.targets.get(passed.path)
    return present is not None and _is_entry_of(passed, present)


def _is_entry_of(passed: _Passed, target: TargetFile) -> bool:
    """Whether `target` says of `passed` what we would sign, now or before."""
    before = history.named_by(target)
    return history.entry(target, before) == passed.target(before)


def _next_releases(
    published: Path,
    tree: Tree,
    passed: _Passed,
    now: datetime,
    gone: frozenset[str] | None = None,
) -> _Next:
    """The metadata with `passed`, and without those that leave it for the history: all that may,
    or those that a request says are `gone`."""
    model, release = passed.release.name, passed.release
    present = tree.releases.signed.targets.get(passed.path)
    before = history.read_history(published, tree, model)
    past = next((past for past in before.releases if past.version == release.version), None)
    if past is not None or (present is not None and present.hashes != passed.target().hashes):
        raise TrustError(
            f"{passed.path} is published with other bytes; raise `version` and `sequence` in the "
            "release's settings and build it again"
        )
    # The same bytes may come again on another verdict, signed anew.
    _require_rise(tree, passed.release, or_equal=present is not None)
    listed = history.listed(tree, model)
    others = [one for one in listed if one.path(model) != passed.path]
    rollout = documents.current(published, tree, model)
    _require_rival(passed, others, rollout)
    may_go = history.retirable([*others, passed.past()], model, rollout)
    if gone is not None and not gone <= may_go:
        named = ", ".join(sorted(gone - may_go))
        raise TrustError(f"the request takes {named} away, which sites may need; make it anew")
    change = history.changed(before, others, may_go if gone is None else gone)
    metadata = trees.next_version(tree.releases, RELEASES, now)
    targets = metadata.signed.targets
    for path in change.gone:
        del targets[path]
    for path in {one.path(model) for one in others} - change.gone:
        targets[path] = history.entry(targets[path])
    targets[passed.path] = passed.target(change.sha256)
    return _Next(metadata, change)


def _require_same(
    request: Request, published: Path, tree: Tree, passed: _Passed, now: datetime
) -> _Next:
    """The metadata of `request`, if it asks for this release in this state, and nothing else."""
    metadata = request.below.get(RELEASES)
    if metadata is None or set(request.roles()) != {RELEASES}:
        raise TrustError(f"the request is for {', '.join(request.roles())}, not for a release")
    review(request, tree, now)
    asked = metadata.signed.targets.get(passed.path)
    if asked is None or not _is_entry_of(passed, asked):
        raise TrustError(
            f"the request does not ask for {passed.path} with SHA-256 {digest(passed.data)[:12]}…"
        )
    gone = frozenset(tree.releases.signed.targets.keys() - metadata.signed.targets.keys())
    expected = _next_releases(published, tree, passed, now, gone)
    if metadata.signed.targets != expected.metadata.signed.targets:
        raise TrustError("the request asks for more than this release; make it anew")
    return _Next(metadata, expected.past)


def _signed_request(
    published: Path,
    tree: Tree,
    passed: _Passed,
    by: tuple[Path, bytes | None],
    now: datetime,
) -> _Next:
    """What is signed already, or by the keys of a folder here."""
    keys, request = by
    if request is None:
        following = _next_releases(published, tree, passed, now)
        signers = trees.role_signers(tree.targets.signed, RELEASES, keys)
        trees.sign(following.metadata, signers)
    else:
        following = _require_same(read_request(request), published, tree, passed, now)
    trees.verify(tree.targets.signed, following.metadata, RELEASES)
    return following


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


def _require_rival(
    passed: _Passed, others: Sequence[history.Past], rollout: Rollout | None
) -> None:
    """Raise TrustError when the verdict compares with something that sites do not run now."""
    against = parse(passed.verdict, Verdict, "the verdict").against
    if against is UNSET:
        return
    offers = (rollout.offer, rollout.base) if rollout is not None else ()
    now = {offer.release for offer in offers if offer is not None}
    if digest(passed.data) in now and others:  # it is published already, on another verdict
        now.add(others[-1].release)
    if against not in now:
        found = ", ".join(f"{one[:12]}…" for one in sorted(now)) or "none"
        raise TrustError(
            f"the gate compared this release with {against[:12]}…, but sites of "
            f"{passed.release.name} run {found}; run the gate against that one"
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


def _write_content(
    published: Path, passed: _Passed, patches: PatchSet | None, past: bytes | None
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
