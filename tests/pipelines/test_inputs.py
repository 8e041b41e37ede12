"""The sources of a line: given files are checked, and what is there is left alone."""

import os
from pathlib import Path

import pytest

from edgefactory.datasets.errors import EdgefactoryError, InputError, MissingError
from edgefactory.pipelines import inputs
from edgefactory.pipelines.inputs import SourceSettings, bring, read_source, source_file
from edgefactory.pipelines.workspace import Workspace


def silent(_done: int, _total: int, _what: str) -> None:
    """No progress."""


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    path = tmp_path / "mine.onnx"
    path.write_bytes(b"a model")
    return path


def test_digits_need_no_file(workspace: Workspace) -> None:
    sources = bring(SourceSettings(kind="digits"), workspace, silent)
    assert [source.file for source in sources] == [None, None, None]
    assert source_file(workspace.clip) is None


def test_own_files_come_in_with_their_digests(
    workspace: Workspace, video: Path, teacher: Path
) -> None:
    clip, model, truth = bring(
        SourceSettings(video=str(video), teacher=str(teacher)), workspace, silent
    )
    assert (clip.file, model.file, truth.file) == ("walk.avi", "teacher.onnx", None)
    found = source_file(workspace.clip)
    assert found is not None
    assert found.read_bytes() == video.read_bytes()
    assert read_source(workspace.clip).origin == f"file {video}"


def test_a_second_time_nothing_is_written(workspace: Workspace, video: Path, teacher: Path) -> None:
    wanted = SourceSettings(video=str(video), teacher=str(teacher))
    bring(wanted, workspace, silent)
    before = [path.stat().st_mtime_ns for path in sorted(workspace.root.rglob("source.json"))]
    bring(wanted, workspace, silent)
    after = [path.stat().st_mtime_ns for path in sorted(workspace.root.rglob("source.json"))]
    assert before == after


def test_a_file_that_was_changed_under_the_line_is_noticed(
    workspace: Workspace, video: Path, teacher: Path
) -> None:
    bring(SourceSettings(video=str(video), teacher=str(teacher)), workspace, silent)
    path = workspace.clip / "walk.avi"
    path.unlink()
    path.write_bytes(b"something else")
    with pytest.raises(InputError, match="is not the file that was fetched"):
        source_file(workspace.clip)
    bring(SourceSettings(video=str(video), teacher=str(teacher)), workspace, silent)
    assert source_file(workspace.clip) == path


def test_a_damaged_record_is_written_again(workspace: Workspace) -> None:
    bring(SourceSettings(kind="digits"), workspace, silent)
    (workspace.clip / "source.json").write_text("{")
    bring(SourceSettings(kind="digits"), workspace, silent)
    assert read_source(workspace.clip).what == "clip"


def test_bad_files_are_named(workspace: Workspace, tmp_path: Path, teacher: Path) -> None:
    (tmp_path / "empty.avi").write_bytes(b"")
    cases: list[tuple[str, type[EdgefactoryError], str]] = [
        ("gone.avi", MissingError, "is not there"),
        ("empty.avi", InputError, "is empty"),
        ("", InputError, "is a folder"),
    ]
    for name, kind, says in cases:
        wanted = SourceSettings(video=str(tmp_path / name), teacher=str(teacher))
        with pytest.raises(kind, match=says):
            bring(wanted, workspace, silent)


def test_without_network_what_is_there_already_will_do(
    workspace: Workspace, video: Path, teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(local: Path | None = None) -> Path:
        if local is None:
            raise MissingError("no network")
        return local

    monkeypatch.setattr(inputs, "fetch_clip", lambda: video)
    monkeypatch.setattr(inputs, "fetch_teacher", lambda local=None: local or teacher)
    first = bring(SourceSettings(), workspace, silent)
    monkeypatch.setattr(inputs, "fetch_clip", unreachable)
    monkeypatch.setattr(inputs, "fetch_teacher", unreachable)
    assert bring(SourceSettings(), workspace, silent) == first
    os.truncate(workspace.teacher / "teacher.onnx", 3)
    with pytest.raises(MissingError, match="no network"):
        bring(SourceSettings(), workspace, silent)
