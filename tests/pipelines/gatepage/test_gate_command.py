"""`edgefactory gate RELEASE`: a verdict as exit code, screen, JSON and page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from edge_runtime.contract import digest
from edgefactory.pipelines.cli import main
from edgefactory.registry import read_verdict

from ...registry.gating.made import Bench, make_bench

POLICY = """
schema: policy/1
rules:
  - {name: people are found, type: at_least, metric: ap50, limit: %s}
  - {name: not worse, type: champion, margin: 0.1, slice_margin: 0.3}
  - {name: licences, type: licences, allowed: [MIT, Apache-2.0]}
"""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A release and a champion. Not to be changed."""
    return make_bench(tmp_path_factory.mktemp("gate"))


def policy(folder: Path, limit: float) -> str:
    path = folder / "policy.yaml"
    path.write_text(POLICY % limit)
    return str(path)


def test_a_good_release_passes_on_one_screen(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    champion = str(bench.champion.release)
    out = tmp_path / "out"
    arguments = ["--policy", policy(tmp_path, 0.5), "--against", champion, "--out", str(out)]
    assert main(["gate", str(bench.line.release), *arguments]) == 0
    said = capsys.readouterr().out
    assert len(said.splitlines()) < 40
    assert "passed: 4 rules hold" in said
    verdict = read_verdict(out / "verdict.json")
    assert verdict.passed
    page = (out / "verdict.html").read_text()
    assert "may be signed" in page
    assert all(found.subject in page for found in verdict.rules)
    assert "people are found" in page.split("<pre")[1], "the policy itself is in the page"
    assert not re.search(r'(src|href)="?http', page)


def test_a_bad_one_is_refused_with_its_reason(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    rules = policy(tmp_path, 0.9999)
    assert main(["gate", str(bench.line.release), "--policy", rules, "--out", str(out)]) == 4
    said = capsys.readouterr().out
    assert "refused: 2 of 4 rules fail" in said
    assert "no champion was given" in said
    page = (out / "verdict.html").read_text()
    assert "may not be signed" in page
    assert "What is against it" in page


def test_machines_read_the_verdict(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = policy(tmp_path, 0.5)
    code = main(["gate", str(bench.line.release), "--policy", rules, "--json"])
    verdict = json.loads(capsys.readouterr().out)
    assert (code, verdict["passed"]) == (4, False)
    assert verdict["release"] == digest((bench.line.release / "release.json").read_bytes())


def test_it_is_given_what_it_needs(
    bench: Bench, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    release = str(bench.line.release)
    for arguments, code, reason in (
        (["gate", release], 2, "needs --policy"),
        (["gate", release, "--policy", "p", "--outcomes", "o"], 2, "give --against"),
        (["gate", str(tmp_path / "no"), "--policy", "p"], 3, "expected the folder of a release"),
        (["gate", release, "--policy", str(tmp_path / "no.yaml")], 3, "does not exist"),
    ):
        assert main(arguments) == code
        error = capfd.readouterr().err
        assert error.count("\n") == 1
        assert reason in error


def test_an_approval_is_signed_and_counts(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys, out = bench.policy.parent / "keys", tmp_path / "a.json"
    release = str(bench.line.release)
    approve = ["approve", release, "--as", "approver", "--keys", str(keys), "--out", str(out)]
    assert main([*approve, "--json"]) == 0
    key = json.loads(capsys.readouterr().out)["public_key"]
    rules = tmp_path / "policy.yaml"
    rules.write_text(
        "schema: policy/1\nrules:\n"
        f"  - {{name: risk, type: approvals, people: {{approver: '{key}'}}}}\n"
    )
    assert main(["gate", release, "--policy", str(rules), "--approval", str(out)]) == 0
    assert main(["gate", release, "--policy", str(rules)]) == 4
