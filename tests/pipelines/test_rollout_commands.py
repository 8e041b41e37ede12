"""`edgefactory promote` and `edgefactory rollout`: what they print, and their exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.contract import (
    FileRef,
    Golden,
    InputSpec,
    Lineage,
    OperatingPoint,
    OutputSpec,
    Release,
    Tolerance,
    digest,
    encode,
)
from edgefactory.pipelines import main
from edgefactory.pipelines.failures import GATE, INPUT, MISSING
from edgefactory.registry import (
    Finding,
    RolloutSettings,
    Verdict,
    create_keys,
    init_repository,
    publish,
    write_verdict,
)
from edgefactory.registry.rollouts import EXAMPLE

from ..registry.conftest import attest

ZERO = "0" * 64


@pytest.fixture
def factory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with keys, the shipped rings, 0.1.0 at all sites, and 0.2.0 signed."""
    monkeypatch.chdir(tmp_path)
    create_keys(tmp_path / "keys")
    init_repository(tmp_path / "published", tmp_path / "keys")
    (tmp_path / "rings.yaml").write_bytes(EXAMPLE.read_bytes())
    for sequence, bound in ((1, 16384), (2, 0)):
        _publish(tmp_path, sequence, RolloutSettings(bound=bound))
    return tmp_path


def _publish(folder: Path, sequence: int, rollout: RolloutSettings) -> None:
    release = Release(
        schema="release/1",
        name="door",
        version=f"0.{sequence}.0",
        sequence=sequence,
        task="detection",
        labels=("person",),
        input=InputSpec(8, 8),
        output=OutputSpec(("boxes", "scores", "labels")),
        operating_point=OperatingPoint(0.5, "by hand"),
        variants=(),
        golden=Golden((), Tolerance()),
        evidence=FileRef(digest(b"{}"), 2),
        lineage=Lineage(ZERO, ZERO, 0),
        card=FileRef(digest(b"{}"), 2),
    )
    place = folder / f"release-{sequence}"
    (place / "blobs").mkdir(parents=True)
    (place / "blobs" / digest(b"{}")).write_bytes(b"{}")
    (place / "release.json").write_bytes(encode(release))
    finding = Finding("bound_to_bytes", "release", None, "every file", True)
    verdict = Verdict("verdict/1", digest(encode(release)), ZERO, True, (finding,))
    write_verdict(verdict, place / "verdict.json")
    attest(place, place / "verdict.json", folder / "keys")
    publish(place, place / "verdict.json", folder / "keys", folder / "published", rollout)


def call(capfd: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    capfd.readouterr()
    assert main([*arguments, "--json"]) == code
    out = capfd.readouterr()
    return json.loads(out.out) if code in {0, GATE} and out.out else out.err


def test_a_rollout_by_hand(factory: Path, capfd: pytest.CaptureFixture[str]) -> None:
    first = call(capfd, "promote", "door@0.2.0", "--ring", "lab", "--where", "hw_class=cpu")
    assert (first["changed"], first["rollout"]["ring"], first["rollout"]["hardware"]) == (
        *(True, "lab"),
        ["cpu"],
    )
    again = call(capfd, "promote", "door@0.2.0", "--ring", "lab")
    assert again == {**first, "changed": False}
    not_yet = call(capfd, "promote", "door@0.2.0", "--ring", "next", code=GATE)
    assert not_yet["missing"] == [
        "no reports were given (--reports, --devices): silence never widens"
    ]
    assert call(capfd, "rollout", "pause", "door")["rollout"]["paused"]
    assert "is paused" in call(capfd, "promote", "door@0.2.0", "--ring", "next", code=GATE)
    assert not call(capfd, "rollout", "resume", "door")["rollout"]["paused"]
    back = call(capfd, "rollout", "rollback", "door")
    assert (back["version"], back["rollout"]["withdrawn"]) == ("0.1.0", 2)
    assert call(capfd, "rollout", "floor", "door@0.1.0")["rollout"]["floor"] == 1
    (one,) = call(capfd, "rollout", "status")["rollouts"]
    assert (one["version"], one["rollout"]["edition"], one["standing"]) == ("0.1.0", 7, None)


def test_silence_is_an_exit_code_and_said(factory: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (factory / "devices").mkdir()
    (factory / "reports").mkdir()
    assert main(["promote", "door@0.2.0", "--ring", "lab"]) == 0
    command = ["promote", "door@0.2.0", "--ring", "next", "--reports", "reports"]
    assert main([*command, "--devices", "devices"]) == GATE
    said = capfd.readouterr()
    assert "not yet: 0 sites were heard since it began; 2 are needed" in said.err
    assert said.out.splitlines()[-1].startswith("door 0.2.0 stays at lab: ")


def test_the_table_shows_each_rollout(factory: Path, capfd: pytest.CaptureFixture[str]) -> None:
    main(["promote", "door@0.2.0", "--ring", "lab"])
    main(["rollout", "pause", "door"])
    capfd.readouterr()
    assert main(["rollout", "status", "--rings", "rings.yaml"]) == 0
    out = capfd.readouterr().out
    for text in (
        "door",
        "0.2.0",
        "0.1.0",
        "door waits: it is paused",
        "lab paused",
        "pilot",
        "1 rollouts, 1 of them paused",
    ):
        assert text in out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["promote", "door", "--ring", "lab"], INPUT, "is not MODEL@VERSION"),
        (["promote", "door@0.2.0", "--ring", "all"], INPUT, "is not lab, pilot, next"),
        (["promote", "door@0.2.0", "--ring", "50"], INPUT, "has to go to lab before"),
        (["promote", "door@0.1.0", "--ring", "lab"], INPUT, "rollback` goes back"),
        (["promote", "door@0.9.0", "--ring", "lab"], MISSING, "there are: 0.1.0, 0.2.0"),
        (["promote", "door@0.2.0", "--ring", "lab", "--where", "city=x"], INPUT, "hw_class="),
        (["promote", "door@0.2.0", "--ring", "lab", "--reports", "r"], INPUT, "belong together"),
        (["promote", "door@0.2.0", "--ring", "lab", "--rings", "no.yaml"], MISSING, "no.yaml"),
        (["rollout", "pause", "window"], MISSING, "there are: door"),
        (["rollout", "floor", "door@0.2.0"], INPUT, "told to run sequence 1"),
        (["rollout", "status", "--published", "no"], MISSING, "does not exist"),
        (["rollout", "status", "--reports", "r", "--devices", "d"], INPUT, "needs --rings"),
    ],
)
def test_what_is_wrong_costs_one_line(
    factory: Path,
    capfd: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    says: str,
) -> None:
    capfd.readouterr()
    assert main(arguments) == code
    (line,) = capfd.readouterr().err.splitlines()
    assert says in line
