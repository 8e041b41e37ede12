"""Who stands for training, evaluation and gate; what nobody stands for is not published."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from edgefactory.datasets.errors import InputError, TrustError
from edgefactory.registry import (
    KeyChange,
    attest_release,
    create_key,
    create_keys,
    init_repository,
    propose_rotation,
    publish,
    read_public,
    serve,
    verify_published,
)
from edgefactory.registry.attestations import FILE, GATE_FILE
from edgefactory.registry.keys import load_signer

from .conftest import Line, attest, make_line
from .signing import enforce

STATEMENT = "https://in-toto.io/Statement/v1"


@pytest.fixture
def root(line: Line, keys: Path) -> Path:
    """The line's release, built, judged and attested, and an empty repository for it."""
    line.build()
    return init_repository(line.published, keys)


def put(line: Line, keys: Path) -> bool:
    return publish(line.release, line.verdict, keys, line.published).changed


def statements(path: Path) -> list[dict[str, Any]]:
    envelopes = [json.loads(line) for line in path.read_bytes().splitlines()]
    return [json.loads(base64.b64decode(one["payload"])) for one in envelopes]


def test_training_says_what_became_what(line: Line, root: Path) -> None:
    training, evaluation = statements(line.release / FILE)
    release = json.loads((line.release / "release.json").read_bytes())
    made = release["lineage"]
    assert training["_type"] == evaluation["_type"] == STATEMENT
    assert training["predicateType"] == "https://slsa.dev/provenance/v1"
    assert training["subject"] == [
        {"name": "model.safetensors", "digest": {"sha256": made["checkpoint_sha256"]}}
    ]
    definition = training["predicate"]["buildDefinition"]
    assert definition["externalParameters"] == {"recipe": made["recipe"], "seed": 0}
    assert [one["name"] for one in definition["resolvedDependencies"]] == ["snapshot", "teacher"]
    assert evaluation["predicate"]["checkpoint"] == made["checkpoint_sha256"]
    assert evaluation["predicate"]["evidence"] == release["evidence"]["sha256"]
    files = {ref["sha256"] for variant in release["variants"] for ref in variant["files"].values()}
    assert {one["digest"]["sha256"] for one in evaluation["subject"]} == files


def test_the_gate_says_which_policy_let_what_pass(line: Line, root: Path) -> None:
    (gate,) = statements(line.verdict.with_name(GATE_FILE))
    verdict = json.loads(line.verdict.read_bytes())
    assert gate["subject"] == [{"name": "release.json", "digest": {"sha256": verdict["release"]}}]
    assert gate["predicate"]["policy"] == verdict["policy"]
    assert gate["predicate"]["passed"] is True


def test_the_chain_goes_from_the_labels_to_the_sites(line: Line, root: Path, keys: Path) -> None:
    put(line, keys)
    (release,) = verify_published(line.published, root).releases
    assert [(step.step, step.by) for step in release.steps] == [
        ("snapshot", ()),
        ("training", ("line",)),
        ("variants", ()),
        ("evidence", ("line",)),
        ("gate", ("line",)),
        ("release", ("approver", "line")),
        ("published", ()),
    ]
    with serve(line.published) as server:
        assert verify_published(server.url, root).releases == (release,)


@pytest.mark.parametrize("what", ["release", "verdict"])
def test_what_nobody_stands_for_is_refused(line: Line, root: Path, keys: Path, what: str) -> None:
    path = line.release / FILE if what == "release" else line.verdict.with_name(GATE_FILE)
    path.unlink()
    kind = "training" if what == "release" else "gate"
    with pytest.raises(TrustError, match=f"nobody has signed for the {kind} of cctv-person 0.1.0"):
        put(line, keys)


def test_a_changed_statement_is_forged(line: Line, root: Path, keys: Path) -> None:
    """The signature of another statement, by the right key, under this one."""
    training, evaluation = (line.release / FILE).read_bytes().splitlines()
    forged = json.loads(training) | {"signatures": json.loads(evaluation)["signatures"]}
    (line.release / FILE).write_bytes(json.dumps(forged).encode() + b"\n" + evaluation)
    with pytest.raises(TrustError, match=r"the attestation of training is forged: .* of line"):
        put(line, keys)


def test_a_stranger_cannot_stand_for_a_release(
    line: Line, root: Path, keys: Path, tmp_path: Path
) -> None:
    create_keys(tmp_path / "others")
    attest(line.release, line.verdict, tmp_path / "others")
    with pytest.raises(TrustError, match="not signed by a key that may sign releases"):
        put(line, keys)
    attest(line.release, line.verdict, keys, "rollout")
    with pytest.raises(TrustError, match="not signed by a key that may sign releases"):
        put(line, keys)


def test_attestations_of_other_bytes_are_refused(
    line: Line, root: Path, keys: Path, tmp_path: Path
) -> None:
    other = make_line(tmp_path / "other", b"other weights", keys)
    other.build()
    (line.release / FILE).write_bytes((other.release / FILE).read_bytes())
    with pytest.raises(TrustError, match="attestation of training is about other bytes than cctv"):
        put(line, keys)
    attest_release(line.release, load_signer(keys, "line"))
    line.verdict.with_name(GATE_FILE).write_bytes(other.verdict.with_name(GATE_FILE).read_bytes())
    with pytest.raises(TrustError, match="attestation of gate is about other bytes"):
        put(line, keys)


def test_one_too_many_and_no_envelope_are_refused(line: Line, root: Path, keys: Path) -> None:
    signed = (line.release / FILE).read_bytes()
    (line.release / FILE).write_bytes(signed + signed)
    with pytest.raises(TrustError, match="attestation 3 is one too many"):
        put(line, keys)
    (line.release / FILE).write_bytes(b'{"payload": "?"}\n')
    with pytest.raises(InputError, match="attestation 1"):
        put(line, keys)


def test_attestations_that_changed_in_the_tree_do_not_verify(
    line: Line, root: Path, keys: Path
) -> None:
    put(line, keys)
    bundle = (line.release / FILE).read_bytes() + line.verdict.with_name(GATE_FILE).read_bytes()
    (blob,) = (p for p in (line.published / "blobs").iterdir() if p.read_bytes() == bundle)
    blob.write_bytes(bundle.splitlines(keepends=True)[0] + bundle)
    with pytest.raises(TrustError, match="are not those signed"):
        verify_published(line.published, root)
    blob.unlink()
    with pytest.raises(TrustError, match="is not whole"):
        verify_published(line.published, root)


def test_a_key_that_was_replaced_since_is_told(
    line: Line, root: Path, keys: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "keys"
    create_keys(mine)
    published = tmp_path / "published"
    first = init_repository(published, mine)
    attest(line.release, line.verdict, mine)
    publish(line.release, line.verdict, mine, published)
    public = read_public(create_key(mine, "line-2", None))
    request = propose_rotation(published, [KeyChange("releases", (public,), ("line",))])
    enforce(request, published, mine, "targets-1", "targets-2", "line-2", "approver")
    (release,) = verify_published(published, first).releases
    assert release.steps[1].by[0].endswith("a key that was replaced since")
    assert release.steps[5].by == ("approver", "line-2")
