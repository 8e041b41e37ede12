"""Label Studio: what goes out is valid, what comes back is the reviewer's word."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgefactory.datasets import Box, Item, Label, Snapshot, Split
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.formats import export_tasks, import_annotations, labelling_config

BOX: Box = (10.0, 20.0, 30.5, 80.25)


def item(number: int, split: Split, label: Label) -> Item:
    digest = hashlib.sha256(bytes([number])).hexdigest()
    file = f"images/{digest}.jpg"
    return Item(digest, file, 768, 576, "clip.avi", number, number / 10, split, (label,))


def teacher_label(box: Box | None = BOX, state: Any = "queued", class_: str = "person") -> Label:
    return Label(class_, box, f"teacher:{'a' * 64}", 0.3, state)


def snapshot(*items: Item) -> Snapshot:
    return Snapshot("s", "detection", ("person",), "teacher", None, items)


@pytest.fixture
def three() -> Snapshot:
    return snapshot(
        item(1, "train", teacher_label()),
        item(2, "val", teacher_label(state="accepted")),
        item(3, "test", teacher_label()),
    )


def answered(task: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The task as Label Studio exports it after somebody accepted its prediction."""
    (prediction,) = task["predictions"]
    annotation = {
        "id": 7,
        "completed_by": {"id": 1, "email": "ann@example.org"},
        "result": prediction["result"],
        "was_cancelled": False,
        "lead_time": 3.5,
    }
    return {"id": 1, "data": task["data"], "annotations": [annotation | changes]}


def export(*tasks: dict[str, Any]) -> bytes:
    return msgspec.json.encode(list(tasks))


def test_only_items_with_a_queued_label_go_out(three: Snapshot) -> None:
    tasks = export_tasks(three, "http://127.0.0.1:8080/snapshot/")
    assert [task["data"]["sample"] for task in tasks] == [three.items[0].id, three.items[2].id]
    assert tasks[0]["data"]["image"] == f"http://127.0.0.1:8080/snapshot/{three.items[0].file}"


def test_a_box_comes_back_as_it_went_out(three: Snapshot) -> None:
    task = export_tasks(three, "http://127.0.0.1")[0]
    reviewed = import_annotations(export(answered(task)), three, "export.json")
    (label,) = reviewed.items[0].labels
    assert label == Label("person", BOX, "human:ann@example.org", 1.0, "reviewed")
    assert reviewed.items[1:] == three.items[1:]


def test_a_class_comes_back_as_it_went_out() -> None:
    digits = tuple("0123456789")
    seven = teacher_label(None, class_="7")
    items = (item(1, "train", seven), item(2, "val", seven), item(3, "test", seven))
    source = Snapshot("d", "classification", digits, "teacher", None, items)
    task = export_tasks(source, "http://127.0.0.1")[0]
    reviewed = import_annotations(export(answered(task)), source, "export.json")
    assert (reviewed.items[0].labels[0].class_, reviewed.items[0].labels[0].box) == ("7", None)


def test_no_box_is_a_review_too(three: Snapshot) -> None:
    task = answered(export_tasks(three, "http://127.0.0.1")[0], result=[])
    assert import_annotations(export(task), three, "export.json").items[0].labels == ()


def test_a_reviewed_test_split_is_human(three: Snapshot) -> None:
    first, last = export_tasks(three, "http://127.0.0.1")
    assert import_annotations(export(answered(first)), three, "e").test_labels == "teacher"
    assert import_annotations(export(answered(last)), three, "e").test_labels == "human"


def test_a_cancelled_annotation_does_not_count(three: Snapshot) -> None:
    task = answered(export_tasks(three, "http://127.0.0.1")[0], was_cancelled=True)
    assert import_annotations(export(task), three, "export.json") == three


def test_class_names_are_quoted_in_the_configuration() -> None:
    assert 'value="a &amp; b"' in labelling_config(("a & b",))


def test_who_reviewed_has_seen_the_whole_picture_and_what_is_ignored_stays() -> None:
    ignored = msgspec.structs.replace(teacher_label(), ignore=True)
    rejected = teacher_label((1.0, 1.0, 5.0, 5.0), "rejected")
    own = msgspec.structs.replace(
        item(1, "train", teacher_label()), labels=(teacher_label(), ignored, rejected)
    )
    (task,) = export_tasks(snapshot(own), "http://127.0.0.1")
    assert len(task["predictions"][0]["result"]) == 1
    after = import_annotations(export(answered(task)), snapshot(own), "export.json")
    (found,) = after.items
    assert (found.reviewed, after.test_labels) == (True, "teacher")
    assert [(one.state, one.ignore) for one in found.labels] == [
        ("reviewed", False),
        ("queued", True),
    ]


@given(st.integers(0, 700_000), st.integers(0, 500_000), st.integers(1, 68_000))
@settings(deadline=None, max_examples=60)
def test_edges_to_a_thousandth_of_a_pixel_come_back_exactly(x: int, y: int, side: int) -> None:
    box = (x / 1000, y / 1000, (x + side) / 1000, (y + side) / 1000)
    source = snapshot(item(1, "train", teacher_label(box)))
    (task,) = export_tasks(source, "http://127.0.0.1")
    after = import_annotations(export(answered(task)), source, "export.json")
    assert after.items[0].labels[0].box == box


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": {"sample": "x"}}, "not in the snapshot"),
        ({"data": {}}, "not in the snapshot"),
        ({"annotations": [{"result": [{"type": "brush", "value": {}}]}]}, "brush"),
        ({"annotations": 3}, "not a Label Studio JSON export"),
    ],
)
def test_a_strange_export_is_one_line(
    three: Snapshot, change: dict[str, Any], message: str
) -> None:
    task = answered(export_tasks(three, "http://127.0.0.1")[0]) | change
    with pytest.raises(InputError, match=message) as caught:
        import_annotations(export(task), three, "export.json")
    assert str(caught.value).startswith("export.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        {"x": 1, "y": 1, "width": 0, "height": 5, "rectanglelabels": ["person"]},
        {"x": 1, "y": 1, "width": 5, "height": 5, "rotation": 9, "rectanglelabels": ["person"]},
        {"x": "1", "y": 1, "width": 5, "height": 5, "rectanglelabels": ["person"]},
        {"x": 1, "y": 1, "width": 5, "height": 5, "rectanglelabels": ["dog"]},
        {"x": 1, "y": 1, "width": 5, "height": 5, "rectanglelabels": []},
    ],
)
def test_a_strange_box_is_refused(three: Snapshot, value: dict[str, Any]) -> None:
    result = [{"type": "rectanglelabels", "value": value}]
    task = answered(export_tasks(three, "http://127.0.0.1")[0], result=result)
    with pytest.raises(InputError):
        import_annotations(export(task), three, "export.json")


def test_a_sample_that_is_there_twice_is_refused(three: Snapshot) -> None:
    task = answered(export_tasks(three, "http://127.0.0.1")[0])
    with pytest.raises(InputError, match="twice"):
        import_annotations(export(task, task), three, "export.json")
