"""An alias in MLflow is what the ledger says, also after a kill and a meddling hand."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgefactory.datasets.errors import GateError, InputError, MissingError, TrustError
from edgefactory.registry import Move, fetch_release, find, move_alias, register, show

from .conftest import Line, make_line

if TYPE_CHECKING:
    from mlflow import MlflowClient

pytestmark = [
    pytest.mark.component,
    # MLflow's own warnings are not ours to fix.
    pytest.mark.filterwarnings("ignore"),
]

MODEL = "cctv-person"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with three versions of a model that passed the gate; making it takes seconds."""
    folder = tmp_path_factory.mktemp("template")
    line = make_line(folder / "line")
    for number in (1, 2, 3):
        line.build(f"0.{number}.0", number)
        register(line.release, f"sqlite:///{folder / 'mlflow.db'}", verdict=line.verdict)
    return folder / "mlflow.db"


@pytest.fixture
def store(tmp_path: Path, template: Path) -> str:
    """A copy of one's own."""
    return f"sqlite:///{shutil.copy(template, tmp_path / 'mlflow.db')}"


def client_of(store: str) -> MlflowClient:
    from mlflow import MlflowClient

    return MlflowClient(store, store)


def to(version: str, alias: str = "champion", expected: str | None = None) -> Move:
    return Move(MODEL, version, alias, "anna", "it is better", expected)


def test_an_alias_moves_and_the_ledger_says_by_whom_and_why(store: str) -> None:
    assert move_alias(store, to("0.1.0")).before is None
    moved = move_alias(store, to("0.2.0"))
    assert moved.before is not None
    assert (moved.before.version, moved.after.version) == ("0.1.0", "0.2.0")
    shelf = show(store, MODEL)
    assert shelf.aliases["champion"].version == "0.2.0"
    assert [(m.before, m.after, m.by, m.reason) for m in shelf.moves] == [
        (None, 1, "anna", "it is better"),
        (1, 2, "anna", "it is better"),
    ]
    assert int(client_of(store).get_model_version_by_alias(MODEL, "champion").version) == 2


def test_moving_it_where_it_is_changes_nothing(store: str) -> None:
    assert move_alias(store, to("0.1.0")).changed
    assert not move_alias(store, to("0.1.0")).changed
    assert len(show(store, MODEL).moves) == 1


def test_a_kill_between_ledger_and_alias_is_repaired_by_the_next_reader(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_registered_model_alias", killed)
        with pytest.raises(KeyboardInterrupt):
            move_alias(store, to("0.2.0"))
    client = client_of(store)
    assert client.get_registered_model(MODEL).aliases == {}
    assert show(store, MODEL).aliases["champion"].version == "0.2.0"
    assert int(client.get_registered_model(MODEL).aliases["champion"]) == 2


def test_an_alias_that_was_set_by_hand_is_put_right(store: str) -> None:
    move_alias(store, to("0.2.0"))
    client = client_of(store)
    client.set_registered_model_alias(MODEL, "champion", "3")
    show(store, MODEL)
    assert int(client.get_registered_model(MODEL).aliases["champion"]) == 2


def test_a_move_from_another_state_than_expected_is_refused(store: str) -> None:
    move_alias(store, to("0.1.0", expected="none"))
    with pytest.raises(GateError, match=r"held by 0\.1\.0, not by none as expected"):
        move_alias(store, to("0.2.0", expected="none"))
    move_alias(store, to("0.2.0", expected="0.1.0"))


def test_who_is_second_is_told(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody moves the alias after the state was read and before the entry is written."""
    from mlflow import MlflowClient

    create, pending = MlflowClient.create_model_version, [to("0.3.0")]

    def others_first(self: MlflowClient, *args: object, **kwargs: object) -> object:
        if pending:
            move_alias(store, pending.pop())
        return create(self, *args, **kwargs)  # type: ignore[arg-type]  # passed on as they are

    monkeypatch.setattr(MlflowClient, "create_model_version", others_first)
    with pytest.raises(GateError, match=r"somebody else meanwhile, to 0\.3\.0"):
        move_alias(store, to("0.2.0"))
    assert show(store, MODEL).aliases["champion"].version == "0.3.0"


def test_an_answer_that_is_lost_does_not_write_twice(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    create, lost = MlflowClient.create_model_version, [True]

    def answer_lost(self: MlflowClient, *args: object, **kwargs: object) -> object:
        made = create(self, *args, **kwargs)  # type: ignore[arg-type]  # passed on as they are
        if lost:
            lost.pop()
            raise MlflowException("the connection broke")
        return made

    monkeypatch.setattr(MlflowClient, "create_model_version", answer_lost)
    assert move_alias(store, to("0.2.0")).changed
    assert len(client_of(store).search_model_versions(f"name = '{MODEL}.promotions'")) == 1


def test_an_alias_that_another_made_meanwhile_is_left_to_the_ledger(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As SQLite refuses the second one of two who insert the same alias."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import BAD_REQUEST

    put, first = MlflowClient.set_registered_model_alias, [True]

    def too_late(self: MlflowClient, model: str, alias: str, version: str) -> None:
        put(self, model, alias, version)
        if first:
            first.pop()
            put(self, model, alias, "3")
            raise MlflowException("UNIQUE constraint failed", BAD_REQUEST)

    monkeypatch.setattr(MlflowClient, "set_registered_model_alias", too_late)
    assert move_alias(store, to("0.2.0")).changed
    assert int(client_of(store).get_registered_model(MODEL).aliases["champion"]) == 2


def test_only_what_passed_its_gate_becomes_champion(store: str, line: Line) -> None:
    line.build("0.4.0", 4)
    register(line.release, store)
    with pytest.raises(GateError, match="has the verdict 'none'"):
        move_alias(store, to("0.4.0"))
    assert move_alias(store, to("0.4.0", "candidate")).changed


def test_a_ledger_from_which_somebody_deleted_says_so(store: str) -> None:
    for version in ("0.1.0", "0.2.0", "0.3.0"):
        move_alias(store, to(version))
    client_of(store).delete_model_version(f"{MODEL}.promotions", "2")
    with pytest.raises(TrustError, match="has no entry 2"):
        show(store, MODEL)


def test_versions_are_named_by_alias_version_or_digest(store: str) -> None:
    move_alias(store, to("0.2.0"))
    shelf = show(store, MODEL)
    second = shelf.versions[1]
    assert find(shelf, "champion") == find(shelf, "0.2.0") == find(shelf, second.sha256[:8])
    with pytest.raises(MissingError, match=r"cctv-person@0\.9\.0 is not registered"):
        find(shelf, "0.9.0")
    with pytest.raises(MissingError, match="no release of 'nobody'"):
        show(store, "nobody")


def test_a_release_comes_back_as_it_went_in(store: str, template: Path, tmp_path: Path) -> None:
    move_alias(store, to("0.3.0"))
    found = fetch_release(store, MODEL, "champion", tmp_path / "out")
    assert found.version == "0.3.0"
    went_in = template.parent / "line" / "release"
    files = {str(p.relative_to(went_in)) for p in went_in.rglob("*") if p.is_file()}
    assert {(tmp_path / "out" / f).read_bytes() == (went_in / f).read_bytes() for f in files} == {
        True
    }


def test_a_release_that_changed_in_the_store_is_refused(
    line: Line, template: Path, tmp_path: Path
) -> None:
    store = f"sqlite:///{shutil.copy(template, tmp_path / 'mlflow.db')}"
    line.build("0.9.0", 9)
    number = str(register(line.release, store))
    client_of(store).set_model_version_tag(MODEL, number, "edgefactory.digest", "0" * 64)
    with pytest.raises(TrustError, match="registered was 000000000000"):
        fetch_release(store, MODEL, "0.9.0", tmp_path / "out")


@pytest.mark.parametrize("alias", ["latest", "v1", "Champion", "", "a b"])
def test_a_name_that_mlflow_keeps_for_itself_is_refused(store: str, alias: str) -> None:
    with pytest.raises(InputError, match="cannot be an alias"):
        move_alias(store, to("0.1.0", alias))


def test_a_release_cannot_be_called_as_a_ledger(line: Line, store: str) -> None:
    from edgefactory.registry import ReleaseSettings, build_release

    build_release(ReleaseSettings(name="x.promotions"), *line.inputs, line.release)
    with pytest.raises(InputError, match="is the name of a ledger"):
        register(line.release, store)
