"""Laying a workspace out: which line, which parameters, and what a user has edited stays."""

from pathlib import Path

import pytest
import yaml

from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.pipelines.demo import Wishes, choose_line, lay_out, layout
from edgefactory.registry import example_policy

ROOT = Path(__file__).parents[2]


def silent(_done: int, _total: int, _what: str) -> None:
    """No progress."""


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither clip nor teacher can be had."""

    def unreachable() -> Path:
        raise MissingError("no network, no cache")

    monkeypatch.setattr(layout, "fetch_clip", unreachable)
    monkeypatch.setattr(layout, "fetch_teacher", unreachable)


@pytest.mark.usefixtures("offline")
def test_without_network_the_embedded_line_takes_its_place(tmp_path: Path) -> None:
    assert choose_line(Wishes(), tmp_path, silent) == ("digits", "no network, no cache")


@pytest.mark.usefixtures("offline")
def test_what_was_asked_for_by_name_is_not_replaced(tmp_path: Path) -> None:
    for wishes in (Wishes(line="cctv"), Wishes(video=tmp_path / "my.avi")):
        with pytest.raises(MissingError, match="no network"):
            choose_line(wishes, tmp_path, silent)


@pytest.mark.usefixtures("offline")
def test_a_workspace_keeps_its_line(tmp_path: Path) -> None:
    lay_out(Wishes(), "digits", tmp_path)
    assert choose_line(Wishes(), tmp_path, silent) == ("digits", "")


def test_sources_of_ones_own_do_not_go_with_digits(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="belong to --line cctv"):
        choose_line(Wishes(line="digits", video=tmp_path / "my.avi"), tmp_path, silent)


def test_a_workspace_gets_stages_parameters_policy_and_a_silent_dvc(tmp_path: Path) -> None:
    lay_out(Wishes(), "cctv", tmp_path)
    assert (tmp_path / "dvc.yaml").read_bytes() == (ROOT / "dvc.yaml").read_bytes()
    assert (tmp_path / "params.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()
    assert (tmp_path / "policy.yaml").read_bytes() == example_policy("cctv").read_bytes()
    config = (tmp_path / ".dvc" / "config").read_text()
    assert "analytics = false" in config
    assert config == (ROOT / ".dvc" / "config").read_text(), "the checkout's own, too"


def test_what_the_user_edited_stays_and_what_is_asked_for_changes(tmp_path: Path) -> None:
    lay_out(Wishes(), "cctv", tmp_path)
    path = tmp_path / "params.yaml"
    path.write_text(path.read_text().replace("epochs: 30", "epochs: 7"))
    (tmp_path / "policy.yaml").write_text("# mine\n")
    edited = path.read_bytes()
    lay_out(Wishes(), "cctv", tmp_path)
    assert path.read_bytes() == edited
    lay_out(Wishes(video=Path("/v/my.avi"), count_line=(1, 2, 3, 4)), "cctv", tmp_path)
    found = yaml.safe_load(path.read_text())
    assert found["train"]["epochs"] == 7
    assert found["source"]["video"] == "/v/my.avi"
    assert found["branch"]["line"] == [1, 2, 3, 4]
    assert found["release"]["licences"][0]["what"] == "footage my.avi"
    assert found["release"]["licences"][1]["licence"] == "MIT"
    assert (tmp_path / "policy.yaml").read_text() == "# mine\n"


def test_a_video_without_truth_is_judged_against_its_teacher(tmp_path: Path) -> None:
    lay_out(Wishes(video=Path("/v/my.avi")), "cctv", tmp_path)
    rules = yaml.safe_load((tmp_path / "policy.yaml").read_text())["rules"]
    assert [rule["metric"] for rule in rules] == ["ap50", "ap50_minus_fp32", "bytes"]
