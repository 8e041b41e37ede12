"""COCO as others write it: layouts, masks, crowds, and what is wrong in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgefactory.datasets import Label, Snapshot, read_manifest
from edgefactory.datasets.errors import EdgefactoryError, InputError, MissingError
from edgefactory.datasets.formats import FORMS, STANDING, ImportSettings, import_data_set, planned

from .making import header, item, label, picture, put

COCO = FORMS["coco"]
ORIGIN = "imported:coco"


def entry(**changes: Any) -> dict[str, Any]:
    base = {"id": 1, "image_id": 9, "category_id": 3, "bbox": [1, 2, 10, 5], "iscrowd": 0}
    return base | changes


def document(*annotations: dict[str, Any], **changes: Any) -> dict[str, Any]:
    base = {
        "images": [{"id": 9, "file_name": "a.jpg", "width": 30, "height": 20}],
        "annotations": list(annotations or (entry(),)),
        "categories": [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}],
    }
    return base | changes


def laid_out(root: Path, found: object, file: str = "annotations.json", at: str = "a.jpg") -> Path:
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_bytes(msgspec.json.encode(found))
    (root / at).parent.mkdir(parents=True, exist_ok=True)
    (root / at).write_bytes(picture(0)[0])
    return root


def imported(root: Path, path: Path, settings: ImportSettings | None = None) -> Snapshot:
    import_data_set(COCO, path, root / "snapshot", settings)
    return read_manifest(root / "snapshot")


@pytest.mark.parametrize(
    ("file", "at", "split"),
    [
        ("annotations.json", "a.jpg", "train"),
        ("annotations/instances_val2017.json", "val2017/a.jpg", "val"),
        ("annotations/instances_train.json", "images/a.jpg", "train"),
        ("annotations/instances_test.json", "images/test/a.jpg", "test"),
        ("valid/_annotations.coco.json", "valid/a.jpg", "val"),
    ],
)
def test_the_layouts_that_people_have(tmp_path: Path, file: str, at: str, split: str) -> None:
    root = laid_out(tmp_path / "in", document(), file, at)
    for path in (root, root / file):
        snapshot = imported(tmp_path, path)
        (found,) = snapshot.items
        assert (found.split, found.name, snapshot.classes) == (split, "a.jpg", ("cat", "dog"))
        assert found.labels == (Label("cat", (1.0, 2.0, 11.0, 7.0), ORIGIN, 1.0, "accepted"),)


def test_a_file_of_another_place_is_named_with_its_pictures(tmp_path: Path) -> None:
    root = laid_out(tmp_path / "in", document(), at="elsewhere/a.jpg")
    with pytest.raises(MissingError, match=r"a\.jpg is not there"):
        imported(tmp_path, root)
    snapshot = imported(tmp_path, root, ImportSettings(images=root / "elsewhere"))
    assert len(snapshot.items) == 1


def test_crowds_and_scores_are_kept_and_masks_counted(tmp_path: Path) -> None:
    crowd = entry(iscrowd=1, score=0.25, segmentation={"counts": [1, 2], "size": [3, 3]})
    plain = entry(id=2, segmentation=[], keypoints=[1, 2, 2])
    root = laid_out(tmp_path / "in", document(crowd, plain))
    done = import_data_set(COCO, root, tmp_path / "out")
    first, _ = read_manifest(tmp_path / "out").items[0].labels
    assert (first.ignore, first.score) == (True, 0.25)
    assert done.counts == {"masks not kept": 1, "keypoints not kept": 1}


def test_decimals_of_the_file_are_added_as_decimals(tmp_path: Path) -> None:
    image = {"id": 9, "file_name": "a.jpg", "width": 30, "height": 20}
    root = laid_out(tmp_path / "in", document(entry(bbox=[0.1, 2, 0.2, 5]), images=[image]))
    assert imported(tmp_path, root).items[0].labels[0].box == (0.1, 2.0, 0.3, 7.0)


def test_the_person_who_drew_the_labels_may_be_named(tmp_path: Path) -> None:
    root = laid_out(tmp_path / "in", document())
    snapshot = imported(tmp_path, root, ImportSettings(annotator="ann"))
    (found,) = snapshot.items
    assert (found.reviewed, snapshot.test_labels) == (True, "human")
    assert (found.labels[0].origin, found.labels[0].state) == ("human:ann", "reviewed")


def test_a_box_over_the_edge_is_cut_and_counted(tmp_path: Path) -> None:
    root = laid_out(tmp_path / "in", document(entry(bbox=[-3, 2, 100, 5])))
    done = import_data_set(COCO, root, tmp_path / "out")
    assert read_manifest(tmp_path / "out").items[0].labels[0].box == (0.0, 2.0, 30.0, 7.0)
    assert done.counts == {"boxes cut at the edge": 1}


TWO = [{"id": 9, "file_name": name, "width": 30, "height": 20} for name in ("a.jpg", "b.jpg")]


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (document(entry(bbox=[10, 10, -5, 3])), "has no area in 30x20"),
        (document(entry(bbox=[5, 5, 0, 3])), "has no area"),
        (document(entry(bbox=[50, 5, 9, 3])), "has no area in 30x20"),
        (document(entry(bbox=[1, 2])), r"expected \[left, top, width, height\]"),
        (document(entry(bbox=[1, 2, "x", 4])), "is no COCO file"),
        (document(entry(category_id=4)), "category 4"),
        (document(entry(image_id=4)), "image 4"),
        (document(entry(), entry()), "two entries have the annotation id 1"),
        (document(images=TWO), "two entries have the image id 9"),
        (document(categories=[{"id": 3, "name": "cat"}] * 2), "category id 3"),
        (document(categories=[{"id": n, "name": "cat"} for n in (3, 4)]), "the same name"),
        (document(images=[{"id": 9, "file_name": "../a.jpg"}]), "expected a plain relative one"),
        (document(images=[{"id": 9, "file_name": "/etc/passwd"}]), "expected a plain relative one"),
        (document(images=[{"id": 9, "file_name": "b.jpg"}]), r"b\.jpg is not there"),
        (document(images=[TWO[0] | {"width": 99}]), "about .*99, 20"),
        (document(images=[], annotations=[]), "no picture"),
        ({"images": []}, "is no COCO file"),
        ([], "is no COCO file"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_imported(
    tmp_path: Path, found: object, says: str
) -> None:
    root = laid_out(tmp_path / "in", found)
    with pytest.raises(EdgefactoryError, match=says) as caught:
        import_data_set(COCO, root, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_bad_boxes_and_pictures_may_be_left_out(tmp_path: Path) -> None:
    images = [TWO[0], TWO[1] | {"id": 10}, TWO[1] | {"id": 11, "file_name": "c.jpg"}]
    root = laid_out(tmp_path / "in", document(entry(), entry(id=2, bbox=[]), images=images))
    (root / "b.jpg").write_bytes(b"damaged")
    done = import_data_set(COCO, root, tmp_path / "out", ImportSettings(drop_bad=True))
    assert done.pictures == 1
    assert done.counts == {
        "boxes left out": 1,
        "pictures that are not there left out": 1,
        "pictures that cannot be used left out": 1,
    }


def test_an_unknown_class_is_refused_where_classes_are_given(tmp_path: Path) -> None:
    root = laid_out(tmp_path / "in", document())
    with pytest.raises(InputError, match="'dog', which is not in --classes"):
        imported(tmp_path, root, ImportSettings(classes=("cat",)))
    snapshot = imported(tmp_path, root, ImportSettings(classes=("dog", "cat", "cow")))
    assert snapshot.classes == ("dog", "cat", "cow")


def test_open_and_rejected_labels_stay_at_home(tmp_path: Path) -> None:
    box = (1.0, 2.0, 3.0, 4.0)
    own = [label("car", box, state) for state in ("accepted", "queued", "rejected", "reviewed")]
    snapshot = put(tmp_path / "s", header(), item(0, *own))
    (one,), lost = planned(COCO, snapshot, STANDING)
    assert [told.state for told in one.item.labels] == ["accepted", "reviewed"]
    assert lost == {"labels": 2}
    assert planned(COCO, snapshot, {"queued", "rejected", "accepted", "reviewed"})[1] == {}


def test_a_folder_of_something_else_is_told_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"annotations/instances_train\.json"):
        import_data_set(COCO, tmp_path, tmp_path / "out")
