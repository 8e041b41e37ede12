"""Which `releases` metadata may follow: what it lists, what leaves it, and who has signed it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from msgspec import UNSET
from tuf.api.metadata import Metadata, TargetFile, Targets

from edge_runtime.contract import Release, Rollout, digest
from edgefactory.datasets.errors import TrustError
from edgefactory.registry import history
from edgefactory.registry import tree as trees
from edgefactory.registry.files import parse
from edgefactory.registry.gate import Verdict
from edgefactory.registry.passed import Passed
from edgefactory.registry.requests import Request
from edgefactory.registry.review import review
from edgefactory.registry.rollouts import documents
from edgefactory.registry.tree import RELEASES, Tree


@dataclass(frozen=True)
class Next:
    """The next `releases` metadata, and what it says of the releases before."""

    metadata: Metadata[Targets]
    past: history.Change


def is_signed(tree: Tree, passed: Passed) -> bool:
    """Whether `passed` is published on this very verdict."""
    present = tree.releases.signed.targets.get(passed.path)
    return present is not None and _is_entry_of(passed, present)


def _is_entry_of(passed: Passed, target: TargetFile) -> bool:
    """Whether `target` says of `passed` what we would sign, now or before."""
    before = history.named_by(target)
    return history.entry(target, before) == passed.target(before)


def next_releases(
    published: Path,
    tree: Tree,
    passed: Passed,
    now: datetime,
    gone: frozenset[str] | None = None,
) -> Next:
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
    require_rise(tree, passed.release, or_equal=present is not None)
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
    return Next(metadata, change)


def require_same(
    request: Request, published: Path, tree: Tree, passed: Passed, now: datetime
) -> Next:
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
    expected = next_releases(published, tree, passed, now, gone)
    if metadata.signed.targets != expected.metadata.signed.targets:
        raise TrustError("the request asks for more than this release; make it anew")
    return Next(metadata, expected.past)


def require_rise(tree: Tree, release: Release, or_equal: bool = False) -> None:
    """Raise TrustError unless the sequence of `release` is above all that are listed."""
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


def _require_rival(passed: Passed, others: Sequence[history.Past], rollout: Rollout | None) -> None:
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
