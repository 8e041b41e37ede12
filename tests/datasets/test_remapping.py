"""Classes renamed, merged, dropped."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from edge_runtime.contract import Features
from edgefactory.datasets import Header, class_map, read_manifest, remap
from edgefactory.datasets.errors import InputError

from .snapshots import FAR, HEADER, bound, item, said, seen, vouched, write

WHOLE = Header("toy", "classification", ("one", "two", "three"), "imported")


def test_the_text_form_is_read() -> None:
    assert class_map(["car=vehicle", "tree="]) == {"car": "vehicle", "tree": None}


@pytest.mark.parametrize("texts", [["car"], ["=vehicle"], ["car=a", "car=b"]])
def test_what_is_no_map_is_refused(texts: list[str]) -> None:
    with pytest.raises(InputError, match=r"car|vehicle"):
        class_map(texts)


def test_classes_are_renamed_and_may_change_places(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", [item(1, seen("person"), seen("cat", FAR))])
    done = remap(folder, {"person": "cat", "cat": "person"}, tmp_path / "b")
    new = read_manifest(tmp_path / "b")
    assert new.classes == done.classes == ("cat", "person")
    assert [label.class_ for label in new.items[0].labels] == ["cat", "person"]
    assert (done.renamed, done.dropped) == (2, 0)
    assert (tmp_path / "b" / new.items[0].file).is_file()


def test_merged_classes_stand_where_the_first_stood_and_dropped_labels_go(tmp_path: Path) -> None:
    header = replace(HEADER, classes=("tree", "car", "person", "van"))
    labels = (seen("car"), seen("van", FAR), seen("tree", FAR), said("person"))
    folder = write(tmp_path / "a", [item(1, *labels)], header)
    done = remap(folder, class_map(["car=vehicle", "van=vehicle", "tree="]), tmp_path / "b")
    new = read_manifest(tmp_path / "b")
    assert new.classes == ("vehicle", "person")
    assert [label.class_ for label in new.items[0].labels] == ["vehicle", "vehicle", "person"]
    assert (done.renamed, done.dropped) == (2, 1)


def test_two_labels_of_a_whole_picture_that_become_one_class_become_one(tmp_path: Path) -> None:
    labels = (seen("one", None, 0.9), said("two", None), seen("three", None))
    folder = write(tmp_path / "a", [item(1, *labels)], WHOLE)
    remap(folder, {"one": "two"}, tmp_path / "b")
    assert read_manifest(tmp_path / "b").items[0].labels == (labels[1], labels[2])


def test_a_picture_without_its_only_class_is_no_longer_reviewed(tmp_path: Path) -> None:
    items = [replace(item(1, said("one", None)), reviewed=True)]
    remap(write(tmp_path / "a", items, WHOLE), {"one": None}, tmp_path / "b")
    left = read_manifest(tmp_path / "b").items[0]
    assert (left.labels, left.reviewed) == ((), False)


def test_a_bound_ends_with_the_first_label_that_is_renamed(tmp_path: Path) -> None:
    person, cat = bound(1, "a"), bound(1, "b", ("cat",))
    labels = (vouched(seen(), person), vouched(seen("cat", FAR), cat))
    folder = write(tmp_path / "a", [item(1, *labels)], replace(HEADER, bounds=(person, cat)))
    assert remap(folder, {"person": "human"}, tmp_path / "b").bounds_ended == 1
    new = read_manifest(tmp_path / "b")
    assert new.bounds == (cat,)
    assert [label.bound for label in new.items[0].labels] == [None, cat.id]


def test_an_unknown_class_and_a_snapshot_without_classes_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", [item(1)])
    with pytest.raises(InputError, match="no class 'dog'; its classes: person, cat"):
        remap(folder, {"dog": "cat"}, tmp_path / "b")
    with pytest.raises(InputError, match="without a class"):
        remap(folder, {"person": None, "cat": None}, tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_sequences_stay_what_they_were(tmp_path: Path) -> None:
    signal = Features(1.0, (0.0,) * 48, (1.0,) * 48, 64)
    folder = write(tmp_path / "a", [item(1, seen())], replace(HEADER, signal=signal))
    remap(folder, {"cat": "dog"}, tmp_path / "b")
    assert read_manifest(tmp_path / "b").signal == signal
