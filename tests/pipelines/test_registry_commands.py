"""`registry`: a release is registered, named, shown and fetched by commands."""

import json
from pathlib import Path

import pytest

from edgefactory.pipelines.cli import main

from ..registry.conftest import Line, make_line

pytestmark = [
    pytest.mark.component,
    # MLflow's own warnings are not ours to fix.
    pytest.mark.filterwarnings("ignore"),
]

MODEL = "cctv-person"


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Line:
    """A release with its verdict; the store is beside it, by the environment."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.delenv("EDGEFACTORY_WEBHOOK_URL", raising=False)
    made = make_line(tmp_path / "line")
    made.build()
    return made


def test_a_release_goes_in_gets_a_name_and_comes_out(
    line: Line, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add = ["registry", "add", str(line.release), "--verdict", str(line.verdict)]
    assert main(add) == 0
    assert main(add) == 0
    assert "number 1" in capsys.readouterr().out
    name = ["registry", "alias", f"{MODEL}@0.1.0", "champion", "--by", "ci", "--reason", "first"]
    assert main([*name, "--expect", "none"]) == 0
    assert "champion of cctv-person is 0.1.0 (was nobody)" in capsys.readouterr().out
    assert main(["registry", "alias", str(line.release), "champion"]) == 0
    assert "is 0.1.0 already" in capsys.readouterr().out
    assert main(["registry", "show", MODEL]) == 0
    shown = capsys.readouterr().out
    assert "champion" in shown
    assert "first" in shown
    assert main(["--json", "registry", "show", MODEL]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["aliases"]["champion"]["version"] == "0.1.0"
    assert [move["by"] for move in figures["moves"]] == ["ci"]
    out = tmp_path / "champion"
    assert main(["registry", "get", f"{MODEL}@champion", "--out", str(out)]) == 0
    assert (out / "release.json").read_bytes() == (line.release / "release.json").read_bytes()


def test_what_is_not_there_is_one_line(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["registry", "show", MODEL]) == 3
    assert "no release of 'cctv-person' is registered" in capsys.readouterr().err
    assert main(["registry", "alias", MODEL, "champion"]) == 2
    assert "is neither MODEL@VERSION" in capsys.readouterr().err


def test_without_a_store_it_says_how_to_name_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    assert main(["registry", "show", MODEL]) == 3
    assert "--store URI" in capsys.readouterr().err
