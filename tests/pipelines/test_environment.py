"""The branch's environment: what is in it is looked at, never believed."""

import sys
from pathlib import Path

import pytest

from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.pipelines.branch import default_venv, install, probe


def silent(_done: int, _total: int, _what: str) -> None:
    """No progress."""


def test_a_python_with_torch_is_no_branch() -> None:
    with pytest.raises(InputError, match="has torch, which a branch must not have"):
        probe(Path(sys.executable))


def test_a_python_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="edgefactory branch install"):
        probe(tmp_path / "bin" / "python")


def test_a_python_without_the_runtime_is_missing(tmp_path: Path) -> None:
    import venv

    venv.create(tmp_path / "bare", with_pip=False)
    with pytest.raises(MissingError, match="has no edgefactory-runtime"):
        probe(tmp_path / "bare" / "bin" / "python")


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"")
    with pytest.raises(InputError, match="holds something else"):
        install(tmp_path, silent)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


@pytest.mark.component
def test_installing_again_changes_nothing() -> None:
    install(default_venv(), silent)
    again = install(default_venv(), silent)
    assert not again.changed
    assert "torch" not in again.packages
    assert {"edgefactory-runtime", "onnxruntime", "av"} <= set(again.packages)
