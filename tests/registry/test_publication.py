"""What is published verifies, at every instant; what may not be published is not."""

from __future__ import annotations

import fcntl
import json
import os
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from edge_runtime.contract import Rollout
from edgefactory.datasets.errors import (
    GateError,
    InputError,
    MissingError,
    StorageError,
    TrustError,
)
from edgefactory.registry import (
    ReleaseSettings,
    RolloutSettings,
    approve,
    build_release,
    create_keys,
    example_policy,
    gate,
    init_repository,
    propose,
    publish,
    refresh,
    refresh_if_due,
    serve,
    verify_published,
    write_verdict,
)
from edgefactory.registry.keys import load_signer
from edgefactory.registry.tree import load_tree, utc_now

from .conftest import Line, attest, make_line
from .killing import killed_at


@pytest.fixture
def root(line: Line, keys: Path) -> Path:
    """The line's release, built and judged, and an empty repository for it; its first root."""
    line.build()
    return init_repository(line.published, keys)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def put(line: Line, keys: Path) -> bool:
    return publish(line.release, line.verdict, keys, line.published).changed


def sign(request: bytes, line: Line, keys: Path, who: str) -> bytes:
    return approve(request, line.release, line.verdict, line.published, load_signer(keys, who))


def test_an_empty_repository_verifies(line: Line, root: Path) -> None:
    assert root == line.published / "metadata" / "1.root.json"
    assert verify_published(line.published, root).releases == ()


def test_a_repository_is_made_once(line: Line, root: Path, keys: Path, tmp_path: Path) -> None:
    before = tree(line.published)
    init_repository(line.published, keys)
    assert tree(line.published) == before
    create_keys(tmp_path / "others")
    with pytest.raises(TrustError, match="not the keys"):
        init_repository(line.published, tmp_path / "others")


def test_the_chain_says_who_signed_what(line: Line, root: Path, keys: Path) -> None:
    put(line, keys)
    chain = verify_published(line.published, root)
    signed = {
        role.role: (role.threshold, role.keys, [s.name for s in role.signers])
        for role in chain.roles
    }
    assert signed == {
        "root": (2, 3, ["root-1", "root-2"]),
        "targets": (2, 3, ["targets-1", "targets-2"]),
        "releases": (2, 2, ["approver", "line"]),
        "emergency": (2, 3, ["emergency-1", "emergency-2"]),
        "rollout": (1, 1, ["rollout"]),
        "snapshot": (1, 1, ["snapshot"]),
        "timestamp": (1, 1, ["timestamp"]),
    }
    (release,) = chain.releases
    assert (release.model, release.version, release.sequence) == ("cctv-person", "0.1.0", 1)
    assert release.bound == 16384


def test_the_tree_is_as_documented(line: Line, root: Path, keys: Path) -> None:
    published = publish(line.release, line.verdict, keys, line.published)
    files = set(tree(line.published))
    release = f"targets/releases/cctv-person/0.1.0/{published.digest}.release.json"
    (rollout,) = (line.published / "targets" / "rollout").glob("*.cctv-person.json")
    assert release in files
    document = json.loads(rollout.read_bytes())
    assert document["release_path"] == "releases/cctv-person/0.1.0/release.json"
    assert document["release"] == published.digest
    assert {
        f"metadata/{name}.json"
        for name in ("timestamp", "1.root", "2.snapshot", "1.targets", "2.releases", "2.rollout")
    } <= files
    assert not [name for name in files if name.endswith(".part")]


def test_it_verifies_over_http(line: Line, root: Path, keys: Path) -> None:
    put(line, keys)
    with serve(line.published) as server:
        assert verify_published(server.url, root) == verify_published(line.published, root)


def test_publishing_twice_changes_nothing(line: Line, root: Path, keys: Path) -> None:
    assert put(line, keys)
    before = tree(line.published)
    assert not put(line, keys)
    assert tree(line.published) == before


def test_a_newer_release_replaces_the_older(line: Line, root: Path, keys: Path) -> None:
    put(line, keys)
    line.build("0.2.0", 2)
    assert put(line, keys)
    (release,) = verify_published(line.published, root).releases
    assert (release.version, release.sequence) == ("0.2.0", 2)


@pytest.mark.parametrize(("version", "sequence"), [("0.0.9", 1), ("0.3.0", 2), ("0.2.0", 3)])
def test_the_sequence_must_rise(
    line: Line, root: Path, keys: Path, version: str, sequence: int
) -> None:
    line.build("0.2.0", 2)
    put(line, keys)
    before = tree(line.published)
    line.build(version, sequence)
    # A version is published once: its bytes never change.
    reason = "published with other bytes" if version == "0.2.0" else "but 2 is published"
    with pytest.raises(TrustError, match=reason):
        put(line, keys)
    assert tree(line.published) == before


def test_an_older_release_does_not_come_back(line: Line, root: Path, keys: Path) -> None:
    put(line, keys)
    line.build("0.2.0", 2)
    put(line, keys)
    line.build("0.1.0", 1)
    with pytest.raises(TrustError, match="but 2 is published"):
        put(line, keys)


def test_a_narrower_rollout_needs_no_new_release(line: Line, root: Path, keys: Path) -> None:
    put(line, keys)
    versions = load_tree(line.published).releases.signed.version
    settings = RolloutSettings(bound=0, sites=("lab-1",))
    assert publish(line.release, line.verdict, keys, line.published, settings).changed
    assert verify_published(line.published, root).releases[0].bound == 0
    assert load_tree(line.published).releases.signed.version == versions


def test_a_rollout_that_nobody_may_run_is_refused(line: Line, root: Path, keys: Path) -> None:
    with pytest.raises(InputError, match="floor"):
        publish(line.release, line.verdict, keys, line.published, RolloutSettings(floor=2))


def test_a_release_that_did_not_pass_is_refused(line: Line, root: Path, keys: Path) -> None:
    line.change(lambda item: None if item.metric == "ap50_minus_teacher" else item)
    line.build()
    with pytest.raises(GateError, match="int8 is not worse than the teacher"):
        put(line, keys)


def test_a_verdict_about_other_bytes_is_refused(
    line: Line, root: Path, keys: Path, tmp_path: Path
) -> None:
    other = make_line(tmp_path / "other", weights=b"other weights")
    other.build()
    with pytest.raises(TrustError, match="not about these bytes"):
        publish(line.release, other.verdict, keys, line.published)


def test_a_verdict_that_only_says_passed_is_refused(line: Line, root: Path, keys: Path) -> None:
    verdict = json.loads(line.verdict.read_bytes())
    line.verdict.write_text(json.dumps(verdict | {"rules": []}))
    with pytest.raises(GateError, match="no rule"):
        put(line, keys)


def compare(line: Line, against: str) -> None:
    verdict = json.loads(line.verdict.read_bytes())
    line.verdict.write_text(json.dumps(verdict | {"against": against}))
    attest(line.release, line.verdict, line.keys or line.folder)


def test_the_champion_of_a_verdict_must_be_what_sites_run(
    line: Line, root: Path, keys: Path
) -> None:
    first = line.build()
    compare(line, "a" * 64)
    with pytest.raises(TrustError, match="but sites of cctv-person run none"):
        put(line, keys)
    line.build()
    put(line, keys)
    second = line.build("0.2.0", 2)
    compare(line, first)
    assert put(line, keys)
    assert not put(line, keys)
    line.build("0.3.0", 3)
    compare(line, first)  # by now the base, since the second has reached every site
    assert put(line, keys)
    line.build("0.4.0", 4)
    compare(line, first)
    with pytest.raises(TrustError, match="run the gate against that one"):
        put(line, keys)
    compare(line, second)
    assert put(line, keys)


def test_a_blob_that_changed_after_the_gate_is_refused(line: Line, root: Path, keys: Path) -> None:
    blob = next((line.release / "blobs").iterdir())
    blob.write_bytes(blob.read_bytes()[:-1] + b"?")
    with pytest.raises(TrustError, match="SHA-256"):
        put(line, keys)
    assert verify_published(line.published, root).releases == ()


def test_two_people_sign_on_two_machines_in_any_order(line: Line, root: Path, keys: Path) -> None:
    request = propose(line.release, line.verdict, line.published)
    for who in ("approver", "line"):
        request = sign(request, line, keys, who)
    assert publish(line.release, line.verdict, keys, line.published, request=request).changed
    assert verify_published(line.published, root).releases[0].sequence == 1


@pytest.mark.parametrize("who", [("line",), ("approver",), ("line", "line"), ()])
def test_one_signature_is_not_enough(
    line: Line, root: Path, keys: Path, who: tuple[str, ...]
) -> None:
    request = propose(line.release, line.verdict, line.published)
    for name in who:
        request = sign(request, line, keys, name)
    with pytest.raises(TrustError, match="does not verify"):
        publish(line.release, line.verdict, keys, line.published, request=request)
    assert verify_published(line.published, root).releases == ()


def test_nobody_signs_what_was_not_shown(
    line: Line, root: Path, keys: Path, tmp_path: Path
) -> None:
    other = make_line(tmp_path / "other", b"other weights", keys)
    other.build()
    request = propose(other.release, other.verdict, line.published)
    with pytest.raises(TrustError, match="does not ask for"):
        sign(request, line, keys, "approver")


def test_a_request_for_an_earlier_state_is_refused(line: Line, root: Path, keys: Path) -> None:
    put(line, keys)
    line.build("0.2.0", 2)
    request = propose(line.release, line.verdict, line.published)
    for who in ("line", "approver"):
        request = sign(request, line, keys, who)
    publish(line.release, line.verdict, keys, line.published, request=request)
    line.build("0.3.0", 3)
    with pytest.raises(TrustError, match="another state of the tree; make it anew"):
        publish(line.release, line.verdict, keys, line.published, request=request)


def test_keys_of_another_repository_are_refused(
    line: Line, root: Path, keys: Path, tmp_path: Path
) -> None:
    create_keys(tmp_path / "others")
    before = tree(line.published)
    with pytest.raises(TrustError, match="not the keys"):
        put(line, tmp_path / "others")
    with pytest.raises(TrustError, match="not the keys"):
        refresh(tmp_path / "others", line.published)
    assert tree(line.published) == before


def test_refresh_prolongs_what_expires(line: Line, keys: Path) -> None:
    line.build()
    root = init_repository(line.published, keys, now=utc_now() - timedelta(days=20))
    with pytest.raises(TrustError, match="expired"):
        verify_published(line.published, root)
    refresh(keys, line.published)
    assert verify_published(line.published, root).roles[0].role == "root"
    put(line, keys)
    assert verify_published(line.published, root).releases


def test_a_tree_is_refreshed_when_it_is_due(line: Line, root: Path, keys: Path) -> None:
    before = tree(line.published)
    assert not refresh_if_due(keys, line.published)
    assert tree(line.published) == before
    assert refresh_if_due(keys, line.published, utc_now() + timedelta(hours=25))
    assert verify_published(line.published, root).roles[1].version == 2


def test_two_publishers_do_not_meet(line: Line, root: Path, keys: Path) -> None:
    lock = line.published.with_name(".published.lock")
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StorageError, match="another publisher"):
            put(line, keys)
    assert put(line, keys)


def test_a_full_disk_is_one_line(
    line: Line, root: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match="the disk is full"):
            put(line, keys)
    assert verify_published(line.published, root).releases == ()
    assert put(line, keys)


def test_a_kill_at_any_write_leaves_the_old_state_or_the_new(line: Line, keys: Path) -> None:
    line.build()
    root = init_repository(line.published, keys)
    put(line, keys)
    line.build("0.2.0", 2)
    writes = 1
    while killed_at(writes, lambda: publish(line.release, line.verdict, keys, line.published)):
        (found,) = verify_published(line.published, root).releases
        assert found.sequence == 1
        writes += 1
    (found,) = verify_published(line.published, root).releases
    assert found.sequence == 2
    # The card, release.json, rollout and four metadata files at least.
    assert writes > 7


def test_an_unfinished_repository_is_finished(line: Line, keys: Path) -> None:
    init_repository(line.published, keys)
    (line.published / "metadata" / "timestamp.json").unlink()
    root = init_repository(line.published, keys)
    line.build()
    assert put(line, keys)
    assert verify_published(line.published, root).releases


def test_the_rollout_is_the_contracts(line: Line, root: Path, keys: Path) -> None:
    put(line, keys)
    (path,) = (line.published / "targets" / "rollout").glob("*.json")
    rollout = msgspec.json.decode(path.read_bytes(), type=Rollout)
    assert rollout.sequence == 1


def test_a_model_of_its_own_has_a_sequence_of_its_own(
    line: Line, root: Path, keys: Path, tmp_path: Path
) -> None:
    line.build("0.2.0", 5)
    put(line, keys)
    other = make_line(tmp_path / "other")
    build_release(ReleaseSettings(name="other-person"), *other.inputs, other.release)
    write_verdict(gate(other.release, example_policy("cctv")), other.verdict)
    attest(other.release, other.verdict, keys)
    publish(other.release, other.verdict, keys, line.published)
    found = verify_published(line.published, root).releases
    assert {(r.model, r.sequence) for r in found} == {("cctv-person", 5), ("other-person", 1)}


def test_a_tree_that_cannot_be_reached_is_missing(line: Line, root: Path) -> None:
    with serve(line.published) as server:
        url = server.url
    with pytest.raises(MissingError, match="cannot be read"):
        verify_published(url, root)


def test_the_same_release_on_another_verdict_is_signed_anew(
    line: Line, root: Path, keys: Path
) -> None:
    put(line, keys)
    before = verify_published(line.published, root).releases[0]
    stricter = line.folder / "policy.yaml"
    stricter.write_text(example_policy("cctv").read_text().replace("limit: 0.7", "limit: 0.8"))
    write_verdict(gate(line.release, stricter), line.verdict)
    attest(line.release, line.verdict, keys)
    assert put(line, keys)
    after = verify_published(line.published, root).releases[0]
    assert after.sha256 == before.sha256
    assert after.verdict_sha256 != before.verdict_sha256
