"""Old releases leave the list that sites read, and nothing that was signed is forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.contract import Offer, Rollout, digest
from edgefactory.datasets.errors import MissingError, TrustError
from edgefactory.registry import (
    Ban,
    RolloutSettings,
    approve,
    init_repository,
    propose,
    propose_ban,
    publish,
    read_request,
    review,
    verify_published,
)
from edgefactory.registry.attestations import verdict_of
from edgefactory.registry.history import KEPT, Past, every, listed, read_history, retirable
from edgefactory.registry.keys import load_signer
from edgefactory.registry.repository import commit
from edgefactory.registry.rollouts import Place, control
from edgefactory.registry.tree import (
    RELEASES,
    load_tree,
    next_version,
    role_signers,
    sign,
    utc_now,
)

from .conftest import Line

MODEL = "cctv-person"
LAB = RolloutSettings(bound=0, sites=("lab-1",))


def put(line: Line, keys: Path, sequence: int, rollout: RolloutSettings | None = None) -> None:
    line.build(f"0.{sequence}.0", sequence)
    publish(line.release, line.verdict, keys, line.published, rollout)


def sequences(line: Line) -> tuple[list[int], list[int]]:
    """Of the releases in the list, and of those in the history."""
    tree = load_tree(line.published)
    past = read_history(line.published, tree, MODEL).releases
    return [one.sequence for one in listed(tree, MODEL)], [one.sequence for one in past]


@pytest.fixture
def root(line: Line, keys: Path) -> Path:
    """One release more than the list keeps is published."""
    root = init_repository(line.published, keys)
    for sequence in range(1, KEPT + 2):
        put(line, keys, sequence)
    return root


def test_the_list_keeps_the_newest_and_the_history_the_rest(
    line: Line, root: Path, keys: Path
) -> None:
    assert sequences(line) == ([2, 3, 4], [1])
    put(line, keys, 5)
    assert sequences(line) == ([3, 4, 5], [1, 2])
    (release,) = verify_published(line.published, root).releases
    assert (release.sequence, release.before) == (5, 2)


def test_what_sites_are_told_to_run_stays_in_the_list(line: Line, root: Path, keys: Path) -> None:
    for sequence in range(5, 5 + KEPT):
        put(line, keys, sequence, LAB)
    # 4 had reached every site: it is the base, which the others run.
    assert sequences(line) == ([4, 5, 6, 7], [1, 2, 3])
    assert verify_published(line.published, root).releases[0].sequence == 7


def as_before(line: Line, keys: Path) -> None:
    """Sign the list as it was signed before entries got shorter."""
    tree = load_tree(line.published)
    metadata = next_version(tree.releases, RELEASES, utc_now())
    for target in metadata.signed.targets.values():
        bundle = (line.published / "blobs" / target.custom["attestations"]).read_bytes()
        more = {"verdict": verdict_of(bundle), "history": "0" * 64}
        target.unrecognized_fields["custom"] = more | target.custom
    sign(metadata, role_signers(tree.targets.signed, RELEASES, keys))
    commit(line.published, keys, tree, {RELEASES: metadata}, utc_now())


def test_entries_say_nothing_twice(line: Line, root: Path, keys: Path) -> None:
    """What is not the newest names no history, and the attestations name the verdict."""
    entries = load_tree(line.published).releases.signed.targets
    newest = entries.pop(f"releases/{MODEL}/0.4.0/release.json")
    common = {"attestations", "model", "sequence", "version"}
    assert newest.custom.keys() == {*common, "history"}
    assert [entry.custom.keys() for entry in entries.values()] == [common, common]


def test_entries_of_before_are_read_and_shortened_by_the_next_release(
    line: Line, root: Path, keys: Path
) -> None:
    as_before(line, keys)
    assert not publish(line.release, line.verdict, keys, line.published).changed
    (release,) = verify_published(line.published, root).releases
    assert release.verdict_sha256 == digest(line.verdict.read_bytes())
    control.rollback(Place(line.published, keys), MODEL, "0.3.0")
    assert verify_published(line.published, root).releases[0].version == "0.3.0"
    line.build("0.5.0", 5)
    request = read_request(propose(line.release, line.verdict, line.published))
    lines = review(request, load_tree(line.published), utc_now())
    assert (
        f"  changes what is said of releases/{MODEL}/0.4.0/release.json, whose bytes stay" in lines
    )
    publish(line.release, line.verdict, keys, line.published)
    entries = load_tree(line.published).releases.signed.targets.values()
    assert not [entry for entry in entries if "verdict" in entry.custom]
    assert sequences(line) == ([3, 4, 5], [1, 2])
    assert verify_published(line.published, root).releases[0].version == "0.5.0"


def test_a_version_never_comes_back_with_other_bytes(line: Line, root: Path, keys: Path) -> None:
    line.build("0.1.0", 9)
    with pytest.raises(TrustError, match="published with other bytes"):
        publish(line.release, line.verdict, keys, line.published)


def test_sites_cannot_be_told_to_run_what_has_left(line: Line, root: Path, keys: Path) -> None:
    with pytest.raises(MissingError, match="has left the list that sites read"):
        control.rollback(Place(line.published, keys), MODEL, "0.1.0")


def test_what_has_left_can_still_be_blocked(line: Line, root: Path) -> None:
    first = every(line.published, load_tree(line.published), MODEL)[0]
    request = propose_ban(line.published, Ban(MODEL, "0.1.0", "sees shadows", "block"))
    assert first.release.encode() in request


def test_a_history_that_was_changed_is_refused(line: Line, root: Path, keys: Path) -> None:
    (path,) = (line.published / "targets" / "releases" / MODEL).glob("*.history.json")
    path.write_bytes(path.read_bytes().replace(b'"0.1.0"', b'"0.0.9"'))
    with pytest.raises(TrustError, match="which was signed"):
        verify_published(line.published, root)
    with pytest.raises(TrustError, match="which was signed"):
        put(line, keys, 5)


def test_signers_see_what_leaves(line: Line, root: Path) -> None:
    line.build("0.5.0", 5)
    request = read_request(propose(line.release, line.verdict, line.published))
    lines = review(request, load_tree(line.published), utc_now())
    assert f"  takes away releases/{MODEL}/0.2.0/release.json" in lines


def test_a_request_may_not_take_away_what_sites_run_by_now(
    line: Line, root: Path, keys: Path
) -> None:
    line.build("0.5.0", 5)
    request = propose(line.release, line.verdict, line.published)  # takes 0.2.0 away
    for who in ("line", "approver"):
        signer = load_signer(keys, who)
        request = approve(request, line.release, line.verdict, line.published, signer)
    control.rollback(Place(line.published, keys), MODEL, "0.2.0")
    with pytest.raises(TrustError, match=r"0\.2\.0/release\.json away, which sites may need"):
        publish(line.release, line.verdict, keys, line.published, request=request)


def test_which_may_leave() -> None:
    def past(sequence: int) -> Past:
        return Past(f"0.{sequence}.0", sequence, "a" * 64, 1, "b" * 64)

    releases = [past(sequence) for sequence in (6, 1, 5, 2, 4, 3)]
    named = Rollout(
        schema="rollout/1",
        model=MODEL,
        sequence=3,
        release="a" * 64,
        release_path=past(3).path(MODEL),
        bound=0,
        base=Offer(1, "a" * 64, past(1).path(MODEL)),
    )
    assert retirable(releases, MODEL, None) == {past(n).path(MODEL) for n in (1, 2, 3)}
    assert retirable(releases, MODEL, named) == {past(2).path(MODEL)}
