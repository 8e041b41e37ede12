"""YOLO as others write it: layouts, scores, polygons, and what is wrong in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgefactory.datasets import Snapshot, read_manifest
from edgefactory.datasets.errors import EdgefactoryError
from edgefactory.datasets.formats import FORMS, ImportSettings, export_data_set, import_data_set

from .making import header, item, label, picture, put

YOLO = FORMS["yolo"]
LINE = "1 0.5 0.5 0.2 0.4\n"  # of 30x20 pixels: (12, 6) to (18, 14)


def laid_out(root: Path, files: dict[str, str | int]) -> Path:
    """Text files, and pictures where a number stands for the text."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        raw = picture(content)[0] if isinstance(content, int) else content.encode()
        (root / name).write_bytes(raw)
    return root


def imported(root: Path, path: Path, settings: ImportSettings | None = None) -> Snapshot:
    import_data_set(YOLO, path, root / "snapshot", settings)
    return read_manifest(root / "snapshot")


PLAIN: dict[str, str | int] = {
    "data.yaml": "train: images/train\nnames: [cat, dog]\n",
    "images/train/a.jpg": 0,
    "labels/train/a.txt": LINE,
}


@pytest.mark.parametrize(
    ("files", "split"),
    [
        (PLAIN, "train"),
        (
            PLAIN | {"data.yaml": "path: /far/away\nval: images/train\nnames: {0: cat, 1: dog}"},
            "val",
        ),
        (
            {
                "data.yaml": "train: ../train/images\nnc: 2\nnames: ['cat', 'dog']\n",
                "train/images/a.jpg": 0,
                "train/labels/a.txt": LINE,
            },
            "train",
        ),
        (
            {
                "d.yaml": "path: in\ntest: test.txt\nnames: [cat, dog]\n",
                "test.txt": "./images/a.jpg\n\n",
                "images/a.jpg": 0,
                "labels/a.txt": LINE,
            },
            "test",
        ),
        (PLAIN | {"data.yaml": "val: [images/train]\nnames: [cat, dog]"}, "val"),
        ({"classes.txt": "cat\ndog\n", "a.jpg": 0, "a.txt": LINE}, "train"),
        (
            {
                "labels/classes.txt": "cat\ndog\n",
                "images/val/a.jpg": 0,
                "labels/val/a.txt": LINE,
            },
            "val",
        ),
    ],
)
def test_the_layouts_that_people_have(
    tmp_path: Path, files: dict[str, str | int], split: str
) -> None:
    snapshot = imported(tmp_path, laid_out(tmp_path / "in", files))
    (found,) = snapshot.items
    assert (found.split, found.name, snapshot.classes) == (split, "a.jpg", ("cat", "dog"))
    (one,) = found.labels
    assert (one.class_, one.box, one.score) == ("dog", (12.0, 6.0, 18.0, 14.0), 1.0)


def test_the_same_name_in_two_splits_keeps_its_split(tmp_path: Path) -> None:
    files = PLAIN | {"data.yaml": "train: images/train\nval: images/val\nnames: [cat, dog]"}
    root = laid_out(tmp_path / "in", files | {"images/val/a.jpg": 1})
    snapshot = imported(tmp_path, root)
    assert {i.name: i.split for i in snapshot.items} == {
        "train/a.jpg": "train",
        "val/a.jpg.png": "val",  # picture 1 is a PNG, whatever it is called
    }


@pytest.mark.parametrize("text", ["", "\n\n", None])
def test_a_picture_without_labels_is_background(tmp_path: Path, text: str | None) -> None:
    files = dict(PLAIN)
    del files["labels/train/a.txt"]
    root = laid_out(tmp_path / "in", files | ({} if text is None else {"labels/train/a.txt": text}))
    assert imported(tmp_path, root).items[0].labels == ()


def test_a_prediction_brings_its_score_and_a_polygon_its_box(tmp_path: Path) -> None:
    text = "0 0.5 0.5 0.2 0.4 0.25\n1 0.1 0.1 0.5 0.2 0.3 0.9\n"
    root = laid_out(tmp_path / "in", PLAIN | {"labels/train/a.txt": text})
    first, second = imported(tmp_path, root).items[0].labels
    assert (first.score, first.class_) == (0.25, "cat")
    assert (second.score, second.box) == (1.0, (3.0, 2.0, 15.0, 18.0))


def test_classes_may_be_given_where_no_file_names_them(tmp_path: Path) -> None:
    root = laid_out(tmp_path / "in", {"a.jpg": 0, "a.txt": LINE})
    snapshot = imported(tmp_path, root, ImportSettings(classes=("cat", "dog")))
    assert snapshot.items[0].labels[0].class_ == "dog"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"labels/train/a.txt": "1 0.5 0.5 -0.2 0.4"}, "has no area"),
        ({"labels/train/a.txt": "1 nan 0.5 0.2 0.4"}, "has no area"),
        ({"labels/train/a.txt": "1 7 7 0.2 0.4"}, "has no area"),
        ({"labels/train/a.txt": LINE + "2 0.5 0.5 0.2 0.4"}, "line 2 has the class 2"),
        ({"labels/train/a.txt": "-1 0.5 0.5 0.2 0.4"}, "has the class -1"),
        ({"labels/train/a.txt": "0.5 0.5 0.5 0.2 0.4"}, "has the class 0.5"),
        ({"labels/train/a.txt": "1 0.5 0.5"}, "2 numbers behind the class"),
        ({"labels/train/a.txt": "1 0.5 0.5 0.2 0.4 1.5"}, "the score 1.5"),
        ({"labels/train/a.txt": "dog 0.5 0.5 0.2 0.4"}, "expected numbers"),
        ({"labels/train/b.txt": LINE}, r"b\.txt has no picture"),
        ({"data.yaml": "names: [cat, dog]\ntrain: images/elsewhere"}, "has no images/elsewhere"),
        ({"data.yaml": "names: [cat, dog]\ntrain: ../../etc"}, "has no"),
        ({"data.yaml": "names: [cat, dog]\ntrain: {a: b}"}, "no folder of pictures"),
        ({"data.yaml": "names: {1: cat, 2: dog}\ntrain: images/train"}, "names no classes 0, 1"),
        ({"data.yaml": "names: [cat, cat]\ntrain: images/train"}, "'cat' is there twice"),
        ({"data.yaml": "names: [[cat], dog]\ntrain: images/train"}, "names no classes"),
        ({"data.yaml": "- cat"}, "no description"),
        ({"data.yaml": "names: [cat"}, "is no YAML"),
        ({"data.yaml": "!!python/object/apply:os.system ['true']"}, "is no YAML"),
        ({"images/train/a.jpg": "damaged"}, "cannot be decoded"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_imported(
    tmp_path: Path, change: dict[str, str | int], says: str
) -> None:
    root = laid_out(tmp_path / "in", PLAIN | change)
    with pytest.raises(EdgefactoryError, match=says) as caught:
        import_data_set(YOLO, root, tmp_path / "out")
    assert str(root) in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_labels_that_are_no_text_are_refused(tmp_path: Path) -> None:
    root = laid_out(tmp_path / "in", PLAIN)
    (root / "labels/train/a.txt").write_bytes(b"\xff\xfe1 \x00")
    with pytest.raises(EdgefactoryError, match="no text in UTF-8"):
        imported(tmp_path, root)


def test_names_that_nest_without_end_are_refused_at_once(tmp_path: Path) -> None:
    """Ten levels of ten aliases each: printing it would take ten billion words."""
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 11))
    text = f"a0: &a0 [lol]\n{levels}names: *a10\ntrain: *a10\n"
    root = laid_out(tmp_path / "in", PLAIN | {"data.yaml": text})
    with pytest.raises(EdgefactoryError, match="names no classes"):
        imported(tmp_path, root)


def test_a_folder_without_pictures_is_told_what_was_expected(tmp_path: Path) -> None:
    root = laid_out(tmp_path / "in", {"data.yaml": "names: [cat]\n"})
    with pytest.raises(EdgefactoryError, match=r"expected data\.yaml"):
        imported(tmp_path, root)


def test_a_box_too_small_for_the_format_is_counted(tmp_path: Path) -> None:
    tiny = label("car", (1.0, 1.0, 1.0001, 5.0))
    put(tmp_path / "s", header(), item(0, tiny, label("car", (1.0, 1.0, 4.0, 5.0))))
    done = export_data_set(("yolo", YOLO), tmp_path / "s", tmp_path / "out")
    assert (done.labels, done.lost["labels"]) == (1, 1)
    assert len(imported(tmp_path, tmp_path / "out").items[0].labels) == 1
