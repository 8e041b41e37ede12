"""Class folders as others lay them out."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgefactory.datasets import Snapshot, read_manifest
from edgefactory.datasets.errors import EdgefactoryError, InputError
from edgefactory.datasets.formats import FORMS, ImportSettings, export_data_set, import_data_set

from .making import header, item, label, picture, put

FOLDERS = FORMS["folders"]


def laid_out(root: Path, *files: str) -> Path:
    for number, name in enumerate(files):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(picture(2 * number)[0])
    return root


def imported(root: Path, path: Path, settings: ImportSettings | None = None) -> Snapshot:
    import_data_set(FOLDERS, path, root / "snapshot", settings)
    return read_manifest(root / "snapshot")


def test_folders_are_classes(tmp_path: Path) -> None:
    snapshot = imported(tmp_path, laid_out(tmp_path / "in", "dog/a.jpg", "cat/b.jpg"))
    assert (snapshot.task, snapshot.classes) == ("classification", ("cat", "dog"))
    assert [(i.name, i.labels[0].class_, i.split, i.source) for i in snapshot.items] == [
        ("a.jpg", "dog", "train", "in"),
        ("b.jpg", "cat", "train", "in"),
    ]


def test_folders_called_as_splits_are_splits(tmp_path: Path) -> None:
    root = laid_out(tmp_path / "in", "train/cat/a.jpg", "valid/dog/b.jpg", "test/cat/deep/c.jpg")
    snapshot = imported(tmp_path, root)
    assert [(i.name, i.labels[0].class_, i.split) for i in snapshot.items] == [
        ("a.jpg", "cat", "train"),
        ("b.jpg", "dog", "val"),
        ("deep/c.jpg", "cat", "test"),
    ]


def test_equal_names_in_two_classes_go_out_as_they_came_in(tmp_path: Path) -> None:
    root = laid_out(tmp_path / "in", "cat/1.jpg", "dog/1.jpg")
    snapshot = imported(tmp_path, root)
    assert [item.name for item in snapshot.items] == ["train/cat/1.jpg", "train/dog/1.jpg"]
    assert {item.source for item in snapshot.items} == {"in"}
    export_data_set(("folders", FOLDERS), tmp_path / "snapshot", tmp_path / "out")
    assert (tmp_path / "out/train/cat/1.jpg").read_bytes() == picture(0)[0]


def test_the_order_of_classes_may_be_written_down(tmp_path: Path) -> None:
    root = laid_out(tmp_path / "in", "cat/a.jpg", "dog/b.jpg")
    (root / "classes.txt").write_text("dog\ncow\ncat\n")
    assert imported(tmp_path, root).classes == ("dog", "cow", "cat")
    (root / "classes.txt").write_text("dog\n")
    with pytest.raises(InputError, match=r"classes\.txt has no class 'cat'"):
        imported(tmp_path, root)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (("a.jpg",), "lies in no class folder"),
        (("train/a.jpg", "train/cat/b.jpg"), "lies in no class folder"),
        ((), "is no folder"),
        (("cat/notes.txt",), "no pictures in class folders"),
    ],
)
def test_another_layout_is_told_what_was_expected(
    tmp_path: Path, files: tuple[str, ...], says: str
) -> None:
    root = laid_out(tmp_path / "in", *files)
    if not files:
        root.write_text("a file")
    with pytest.raises(EdgefactoryError, match=says) as caught:
        import_data_set(FOLDERS, root, tmp_path / "out")
    assert "expected CLASS/picture.jpg" in str(caught.value)


def test_a_picture_without_a_class_has_no_place_and_is_counted(tmp_path: Path) -> None:
    head = header("classification", ("cat",))
    waiting = item(1, label("cat", None, "queued"))
    put(tmp_path / "s", head, item(0, label("cat", None)), waiting, item(2))
    done = export_data_set(("folders", FOLDERS), tmp_path / "s", tmp_path / "out")
    assert (done.pictures, done.lost["pictures"], done.lost["labels"]) == (1, 2, 1)


def test_a_picture_of_two_classes_is_refused(tmp_path: Path) -> None:
    head = header("classification", ("cat", "dog"))
    put(tmp_path / "s", head, item(0, label("cat", None), label("dog", None)))
    with pytest.raises(InputError, match="has 2 classes; a folder has place for one"):
        export_data_set(("folders", FOLDERS), tmp_path / "s", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["a/b", "..", ".hidden", "two\nlines", " space"])
def test_a_class_that_is_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    put(tmp_path / "s", header("classification", (name,)), item(0, label(name, None)))
    with pytest.raises(InputError, match="which folders cannot write; rename it"):
        export_data_set(("folders", FOLDERS), tmp_path / "s", tmp_path / "out")


def test_boxes_have_no_place_in_folders(tmp_path: Path) -> None:
    put(tmp_path / "s", header(), item(0))
    with pytest.raises(InputError, match="is a detection snapshot; folders is for classification"):
        export_data_set(("folders", FOLDERS), tmp_path / "s", tmp_path / "out")
