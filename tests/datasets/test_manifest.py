"""The manifest on disk: what is written is what is read, and what may not be written."""

import hashlib
import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.contract import Features
from edgefactory.datasets import (
    ErrorBound,
    Header,
    Item,
    Label,
    Split,
    read_header,
    read_manifest,
    snapshot_digest,
    stream_items,
    write_manifest,
)
from edgefactory.datasets.carrying import pictures_of, write_snapshot
from edgefactory.datasets.errors import InputError, MissingError

FIXTURES = Path(__file__).parent / "fixtures"
BOUND = ErrorBound("0" * 16, ("person",), 0.05, 0.95, 0.4, 1, 60, 0, "learn-then-test", "t" * 64)
HEADER = Header("toy", "detection", ("person", "cat"), "teacher", bounds=(BOUND,))


def item(seed: int, *labels: Label, split: Split = "train") -> Item:
    name = hashlib.sha256(str(seed).encode()).hexdigest()
    return Item(name, f"images/{name}.jpg", 64, 48, "cam", seed, float(seed), split, labels)


def boxed(kind: str = "person", **changes: object) -> Label:
    label = Label(kind, (1.0, 2.0, 11.0, 22.0), "human:ann", 1.0, "reviewed")
    return msgspec.structs.replace(label, **changes)


def labels() -> st.SearchStrategy[Label]:
    corner = st.floats(0, 20, allow_nan=False)
    box = st.tuples(corner, corner, st.floats(21, 48), st.floats(21, 48))
    origin = st.sampled_from(["human:ann", "teacher:" + "0" * 64, "imported:käse.json"])
    state = st.sampled_from(["accepted", "queued", "rejected", "reviewed"])
    bound = st.sampled_from([None, BOUND.id])
    return st.builds(
        Label, st.sampled_from(HEADER.classes), box, origin, st.floats(0, 1), state, st.booleans(),
        bound,
    )  # fmt: skip


@settings(deadline=None, max_examples=40)
@given(found=st.lists(st.lists(labels(), max_size=3), max_size=5))
def test_what_is_written_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, found: list[list[Label]]
) -> None:
    folder = tmp_path_factory.mktemp("snapshot")
    items = tuple(item(seed, *each) for seed, each in enumerate(found))
    digest = write_manifest(folder, HEADER, items)
    assert digest == snapshot_digest(folder)
    assert read_header(folder) == HEADER
    assert tuple(stream_items(folder)) == read_manifest(folder).items == items


def test_the_manifest_is_one_line_an_item_without_defaults(tmp_path: Path) -> None:
    write_manifest(tmp_path, HEADER, [item(1, boxed())])
    header, line = (tmp_path / "manifest.jsonl").read_text().splitlines()
    assert set(json.loads(header)) == {
        *("schema", "name", "task", "classes", "test_labels", "bounds"),
    }
    assert json.loads(header)["schema"] == "snapshot/2"
    assert set(json.loads(line)["labels"][0]) == {"class", "box", "origin", "score", "state"}


@pytest.mark.parametrize(
    ("items", "says"),
    [
        ([item(1), item(1)], "two items have the id"),
        ([item(1, boxed("dog"))], "has the class 'dog'"),
        ([item(1, boxed(box=None))], "a label of another task"),
        ([item(1, boxed(box=(5.0, 5.0, 70.0, 9.0)))], "inside of 64x48"),
        ([item(1, boxed(bound="f" * 16))], "names the bound ffff"),
        ([msgspec.structs.replace(item(1), file=item(2).file)], "has the file"),
        ([msgspec.structs.replace(item(i), name="a.jpg") for i in (1, 2)], "the name 'a.jpg'"),
    ],
)
def test_what_does_not_belong_is_refused_in_writing_and_in_reading(
    tmp_path: Path, items: list[Item], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        write_manifest(tmp_path, HEADER, items)
    lines = [msgspec.json.encode(each) + b"\n" for each in (HEADER, *items)]
    (tmp_path / "manifest.jsonl").write_bytes(b"".join(lines))
    with pytest.raises(InputError, match=says):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"{}\n", "header"),
        (msgspec.json.encode(HEADER), "line 1 is cut off"),
        (msgspec.json.encode(HEADER) + b"\n{}\n", "line 2 is not an item"),
        (msgspec.json.encode(HEADER) + b"\n\xff\n", "line 2 is not an item"),
    ],
)
def test_a_damaged_manifest_is_refused_in_one_line(
    tmp_path: Path, content: bytes, says: str
) -> None:
    (tmp_path / "manifest.jsonl").write_bytes(content)
    with pytest.raises(InputError, match=says) as refused:
        read_manifest(tmp_path)
    assert "manifest.jsonl" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_first_form_is_still_read() -> None:
    folder = FIXTURES / "snapshot-1"
    found = read_manifest(folder)
    assert (found.name, found.task, found.classes) == ("cctv", "detection", ("person",))
    assert [each.split for each in found.items] == ["train", "val", "test"]
    assert found.items[0].labels[0].origin == "teacher:" + "a" * 64
    assert read_header(folder).test_labels == "human"
    assert snapshot_digest(folder) == hashlib.sha256(
        (folder / "manifest.json").read_bytes()
    ).hexdigest()  # fmt: skip


def test_pictures_are_carried_into_a_new_snapshot(tmp_path: Path) -> None:
    one, two = item(1, boxed()), item(2)
    contents = {one.id: b"first", two.id: b"second"}
    write_snapshot(tmp_path / "a", HEADER, [one, two], lambda each: contents[each.id])
    write_snapshot(tmp_path / "b", HEADER, [two], pictures_of(tmp_path / "a"))
    assert (tmp_path / "b" / two.file).read_bytes() == b"second"
    assert [each.id for each in stream_items(tmp_path / "b")] == [two.id]


def test_nothing_is_left_of_a_snapshot_that_cannot_be_written(tmp_path: Path) -> None:
    write_snapshot(tmp_path / "a", HEADER, [item(1)], lambda _: b"first")
    with pytest.raises(MissingError, match="is not there"):
        write_snapshot(tmp_path / "a", HEADER, [item(1), item(2)], pictures_of(tmp_path / "none"))
    assert [each.frame for each in stream_items(tmp_path / "a")] == [1]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_that_is_no_snapshot_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "mine.jpg").write_bytes(b"mine")
    with pytest.raises(InputError, match="it is not replaced"):
        write_snapshot(tmp_path / "photos", HEADER, [], lambda _: b"")
    assert (tmp_path / "photos" / "mine.jpg").read_bytes() == b"mine"


def test_sequences_say_how_they_became_pictures_and_have_that_size(tmp_path: Path) -> None:
    signal = Features(10.0, (0.0,) * 48, (1.0,) * 48, 64)
    header = msgspec.structs.replace(HEADER, signal=signal)
    write_manifest(tmp_path, header, [item(1)])
    assert read_header(tmp_path).signal == read_manifest(tmp_path).signal == signal
    wide = msgspec.structs.replace(item(1), width=65)
    with pytest.raises(InputError, match="is 65x48; sequences of this snapshot are 64x48"):
        write_manifest(tmp_path, header, [wide])
