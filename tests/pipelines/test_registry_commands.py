"""`registry`: a release is registered, named, shown and fetched by commands."""

import json
from pathlib import Path

import pytest

from edgefactory.pipelines.cli import main

from ..registry.conftest import Line, make_line
from ..registry.receiving import SECRET, receiving

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


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Line:
    """A release that is registered, with no verdict, in a store that stays as it is."""
    folder = tmp_path_factory.mktemp("stored")
    made = make_line(folder / "line")
    made.build()
    store = f"sqlite:///{folder / 'mlflow.db'}"
    assert main(["registry", "add", str(made.release), "--store", store]) == 0
    return made


@pytest.fixture
def shelf(stored: Line, monkeypatch: pytest.MonkeyPatch) -> Line:
    """The release that is registered; its store is named by the environment."""
    store = stored.folder.with_name("mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store}")
    return stored


ALIAS = ("alias", f"{MODEL}@0.1.0")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("add", "nowhere"), 3, "nowhere/release.json does not exist"),
        (("add", "RELEASE", "--verdict", "nowhere"), 3, "nowhere does not exist"),
        (("add", "RELEASE", "--verdict", "OTHER"), 5, "is about another release"),
        (("add", "RELEASE", "--store", "a-file"), 2, "'a-file' is no store; expected sqlite:///"),
        (("show", "window"), 3, "no release of 'window' is registered"),
        (("show", MODEL, "--store", "sqlite:////no/x.db"), 3, "/no/x.db does not exist"),
        (("show", MODEL, "--store", "http://u:p@127.0.0.1:1"), 3, "answers at http://127.0.0.1:1 "),
        (("get", MODEL, "--out", "out"), 2, "is neither MODEL@VERSION"),
        (("get", f"{MODEL}@champion", "--out", "out"), 3, "cctv-person@champion"),
        (
            ("get", f"{MODEL}@0.9.0", "--out", "out"),
            3,
            "@0.9.0 is not registered; the newest are 0.1.0",
        ),
        (("alias", MODEL, "champion"), 2, "is neither MODEL@VERSION"),
        ((*ALIAS, "latest"), 2, "'latest' cannot be an alias"),
        ((*ALIAS, "champion"), 4, "verdict"),
        ((*ALIAS, "candidate", "--expect", "0.9.0"), 3, "@0.9.0 is not registered"),
        (("alias", f"{MODEL}@0.9.0", "candidate"), 3, "@0.9.0 is not registered"),
    ],
)
def test_what_is_wrong_costs_one_line(
    shelf: Line,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    code: int,
    says: str,
) -> None:
    other = json.loads(shelf.verdict.read_bytes()) | {"release": "a" * 64}
    (tmp_path / "other.json").write_text(json.dumps(other))
    words = {"RELEASE": str(shelf.release), "OTHER": str(tmp_path / "other.json")}
    assert main(["registry", *(words.get(word, word) for word in arguments)]) == code
    (only,) = capsys.readouterr().err.splitlines()
    assert says in only
    assert not Path("out").exists()


def test_a_file_that_was_exchanged_in_the_store_is_refused(
    line: Line, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["registry", "add", str(line.release)]) == 0
    (kept,) = tmp_path.glob("mlflow.artifacts/**/release.json")
    kept.write_bytes(kept.read_bytes().replace(b"0.1.0", b"0.1.1"))
    assert main(["registry", "get", f"{MODEL}@0.1.0", "--out", str(tmp_path / "out")]) == 5
    assert "registered was" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_who_moves_an_alias_tells_others_once_signed_and_without_the_secret(
    line: Line, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["registry", "add", str(line.release)]) == 0
    with receiving(monkeypatch) as receiver:
        receiver.answers = [503, 204]
        move = ["registry", *ALIAS, "candidate", "--by", "ci", "--reason", "a trial"]
        assert main(move) == 0
        assert main(move) == 0  # it is there already: nobody is told
        assert len(receiver.got) == 2  # the first was told to come again
        [body] = receiver.proven()
        receiver.answers = [500]
        assert main(["registry", *ALIAS, "night"]) == 0
    told = json.loads(body)
    assert (told["event"], told["alias"], told["version"]) == ("alias.moved", "candidate", "0.1.0")
    assert (told["before"], told["by"], told["reason"]) == (None, "ci", "a trial")
    said = capsys.readouterr()
    assert "not told: 127.0.0.1: answered 500, 4 times" in said.err
    assert not [word for word in (SECRET, "tacit") if word in said.out + said.err]


def test_without_a_store_it_says_how_to_name_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    assert main(["registry", "show", MODEL]) == 3
    assert "--store URI" in capsys.readouterr().err
