"""`edge-runtime selftest`: every active model, a line each, and exit code 4 for a difference."""

import json
from collections.abc import Mapping

import pytest

from edge_runtime import engines
from edge_runtime.cli import main
from edge_runtime.contract import Precision
from edge_runtime.engines import ort
from edge_runtime.state import State

from .models import build, build_digits, squares_onnx
from .publishing import Publisher

pytestmark = pytest.mark.component

PASSED = "3 golden cases decided as they should be"
TWO = {"onnx-fp32": squares_onnx(), "onnx-int8": squares_onnx(gain=1.001)}


@pytest.fixture
def site(state: State, publisher: Publisher) -> list[str]:
    """A site with two models, one of which has two variants; how its commands begin."""
    command = ["--state", str(state.folder)]
    for built in (build(1, TWO), build_digits(1)):
        publisher.publish(built)
        assert main([*command, "once", "--model", built.release.name]) == 0
    return command


def test_every_active_model_is_tested(site: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main([*site, "selftest"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"digits 1.0.0 (onnx-fp32): {PASSED}"
    assert lines[1].startswith("squares 1.0.0 (onnx-")
    assert main([*site, "--json", "selftest", "--all"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["passed"], said["cases"]) == (True, 9)
    assert [(t["model"], t["active"]) for t in said["tests"]] == [
        ("digits", True),
        ("squares", True),
        ("squares", False),
    ]
    assert main([*site, "selftest", "--model", "digits"]) == 0
    assert capsys.readouterr().out == f"digits 1.0.0 (onnx-fp32): {PASSED}\n"


def test_what_fails_is_said_after_all_were_tested(
    site: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another version of the engine, say, decides otherwise about squares."""
    other = build(1, {"onnx-fp32": squares_onnx(gain=0.5)})
    model = other.blobs[other.release.variants[0].files["model.onnx"].sha256]

    real = ort.load

    def odd(
        files: Mapping[str, bytes], main: str, precision: Precision, threads: int
    ) -> engines.Session:
        given = files if main == "m.onnx" else {main: model}
        return real(given, main, precision, threads)

    monkeypatch.setattr(ort, "load", odd)
    capsys.readouterr()
    assert main([*site, "selftest"]) == 4
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == f"digits 1.0.0 (onnx-fp32): {PASSED}"
    assert "decides otherwise here" in said.out.splitlines()[1]
    assert "1 of 2 self-tests failed" in said.err
    assert main([*site, "--json", "selftest"]) == 4
    assert json.loads(capsys.readouterr().out)["exit_code"] == 4


def test_a_damaged_model_is_said_and_the_others_are_tested(
    site: list[str], state: State, capsys: pytest.CaptureFixture[str]
) -> None:
    digits = state.contents.path(build_digits(1).release.variants[0].files["m.onnx"])
    digits.write_bytes(b"damage")
    capsys.readouterr()
    assert main([*site, "selftest"]) == 6
    first, second = capsys.readouterr().out.splitlines()
    assert "is damaged on disk" in first
    assert second.endswith(PASSED)
