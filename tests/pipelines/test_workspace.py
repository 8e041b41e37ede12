"""A workspace: claimed once, never somebody else's folder."""

from pathlib import Path

import pytest

from edgefactory.datasets.errors import InputError, MissingError, StorageError
from edgefactory.pipelines.workspace import claim_workspace, open_workspace, write_atomically


def test_a_new_and_an_empty_folder_can_be_claimed_and_claimed_again(tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "a" / "b"):
        assert claim_workspace(root, "digits").root == root
        assert claim_workspace(root, "digits").root == root


def test_a_folder_that_holds_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("dear reader")
    with pytest.raises(InputError, match=r"holds something else \(thesis\.tex\)"):
        claim_workspace(tmp_path, "digits")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_workspace_of_the_other_line_is_refused(tmp_path: Path) -> None:
    claim_workspace(tmp_path, "digits")
    with pytest.raises(InputError, match="line 'digits', not 'cctv'"):
        claim_workspace(tmp_path, "cctv")


def test_a_damaged_mark_is_named(tmp_path: Path) -> None:
    claim_workspace(tmp_path, "digits")
    (tmp_path / ".edgefactory" / "workspace.json").write_text("{")
    with pytest.raises(InputError, match="is damaged"):
        claim_workspace(tmp_path, "digits")


def test_a_file_or_a_path_under_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError):
            claim_workspace(root, "digits")


def test_a_place_that_cannot_be_written_is_a_storage_error() -> None:
    with pytest.raises(StorageError, match="cannot be written"):
        claim_workspace(Path("/proc/nothing-can-be-made-here"), "digits")


def test_opening_wants_parameters(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"holds no params\.yaml"):
        open_workspace(tmp_path)
    (tmp_path / "params.yaml").write_text("{}")
    assert open_workspace(tmp_path).root == tmp_path


def test_writing_replaces_whole_and_leaves_no_draft(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a" / "b", "one")
    write_atomically(tmp_path / "a" / "b", "two")
    assert (tmp_path / "a" / "b").read_text() == "two"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]
