"""What two snapshots differ in."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from edge_runtime.contract import Features
from edgefactory.datasets import Header, Item, compare
from edgefactory.datasets.errors import InputError, MissingError

from .snapshots import FAR, HEADER, item, said, seen, write

FIXTURE = Path(__file__).parent / "fixtures" / "snapshot-1"


def test_a_snapshot_and_its_copy_are_the_same(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", [item(n, seen()) for n in range(5)])
    shutil.copytree(folder, tmp_path / "b")
    found = compare(folder, tmp_path / "b")
    assert found.none
    assert found.same == 5


def test_the_order_of_pictures_plays_no_part(tmp_path: Path) -> None:
    many = [seen(box=(n / 10, 1.0, 30.0, 40.0)) for n in range(100)]  # a line of 13 kB
    items = [item(n, seen()) for n in range(30)] + [item(30, *many)]
    old, new = write(tmp_path / "a", items), write(tmp_path / "b", reversed(items))
    found = compare(old, new)
    assert found.none
    assert found.same == 31


def test_every_kind_of_change_is_counted_and_listed(tmp_path: Path) -> None:
    old = [item(n, seen()) for n in range(6)]
    new = [
        old[0],
        replace(old[1], split="val"),
        replace(old[2], labels=(said("cat"), seen("cat", FAR))),
        replace(old[3], reviewed=True),
        item(7, split="test"),
        old[4],
    ]
    header = replace(HEADER, test_labels="human")
    found = compare(write(tmp_path / "a", old), write(tmp_path / "b", new, header))
    assert found.header == ("test_labels",)
    assert (found.same, found.changed) == (2, 3)
    assert (found.added, found.removed) == ({"test": 1}, {"train": 1})
    assert found.moved == {"train -> val": 1}
    assert (found.relabelled, found.details) == (1, 1)
    assert found.labels == {"cat": {"added": 1}, "person": {"class": 1, "state": 1, "other": 1}}
    assert found.classes == {"person -> cat": 1}
    words = {one.id: one.what for one in found.listed}
    assert words[old[1].id] == ("train -> val",)
    assert words[old[2].id][0] == "1 person class -> cat"
    assert words[old[3].id] == ("details",)
    assert words[old[5].id] == ("removed: train",)
    assert words[new[4].id] == ("added: test",)


def test_the_listing_is_cut_and_says_so(tmp_path: Path) -> None:
    old = write(tmp_path / "a", [item(n) for n in range(9)])
    new = write(tmp_path / "b", [item(n, seen()) for n in range(3, 12)])
    found = compare(old, new, limit=4)
    assert len(found.listed) == 4
    assert found.unlisted == 3 + 6 + 3 - 4


def test_the_first_form_is_compared_with_the_second(tmp_path: Path) -> None:
    found = compare(FIXTURE, FIXTURE)
    assert found.none
    assert found.same > 0
    empty = write(tmp_path / "b", [])
    assert sum(compare(FIXTURE, empty).removed.values()) == found.same


def test_a_picture_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    old = write(tmp_path / "a", [item(n) for n in range(3)])
    new = write(tmp_path / "b", [item(n) for n in range(3, 6)])
    manifest = new / "manifest.jsonl"
    manifest.write_bytes(manifest.read_bytes() + manifest.read_bytes().splitlines(True)[1])
    with pytest.raises(InputError, match=r"b/manifest\.jsonl: two items have the id"):
        compare(old, new)


@pytest.mark.parametrize("line", [b"{}\n", b'{"id":"' + b"z" * 64 + b'","a":1}\n', b"\xff\n"])
def test_a_line_that_is_no_item_is_refused(tmp_path: Path, line: bytes) -> None:
    old, new = write(tmp_path / "a", [item(1)]), write(tmp_path / "b", [])
    with (new / "manifest.jsonl").open("ab") as file:
        file.write(line)
    with pytest.raises(InputError, match=r"b/manifest\.jsonl holds"):
        compare(old, new)


def test_a_snapshot_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"nowhere/manifest\.jsonl is not there"):
        compare(tmp_path / "nowhere", tmp_path / "nowhere")


Wanted = dict[int, tuple[str, bool]]  # by picture: its split, and whether it has a label


@settings(deadline=None, max_examples=40)
@given(
    old=st.dictionaries(st.integers(0, 9), st.tuples(st.sampled_from("tv"), st.booleans())),
    new=st.dictionaries(st.integers(0, 9), st.tuples(st.sampled_from("tv"), st.booleans())),
)
def test_counts_are_those_of_the_plain_sets(
    tmp_path_factory: pytest.TempPathFactory, old: Wanted, new: Wanted
) -> None:
    folder = tmp_path_factory.mktemp("pair")
    pair = (write(folder / "a", _items(old)), write(folder / "b", list(_items(new))[::-1]))
    found = compare(*pair)
    both = old.keys() & new.keys()
    assert sum(found.added.values()) == len(new.keys() - old.keys())
    assert sum(found.removed.values()) == len(old.keys() - new.keys())
    assert sum(found.moved.values()) == sum(old[n][0] != new[n][0] for n in both)
    assert found.relabelled == sum(old[n][1] != new[n][1] for n in both)
    assert found.same == sum(old[n] == new[n] for n in both)


def _items(wanted: Wanted) -> list[Item]:
    return [
        item(n, *([seen()] if labelled else []), split="train" if split == "t" else "val")
        for n, (split, labelled) in wanted.items()
    ]


def test_headers_are_compared_by_their_keys(tmp_path: Path) -> None:
    other = Header("other", "detection", ("person", "cat", "dog"), "teacher")
    found = compare(write(tmp_path / "a", []), write(tmp_path / "b", [], other))
    assert found.header == ("name", "classes")
    assert not found.none


def test_sequences_made_in_another_way_are_a_change_of_the_header(tmp_path: Path) -> None:
    signal = Features(1.0, (0.0,) * 48, (1.0,) * 48, 64)
    old = write(tmp_path / "a", [item(1, seen())], replace(HEADER, signal=signal))
    new = write(tmp_path / "b", [item(1, seen())], replace(HEADER, signal=None))
    assert compare(old, new).header == ("signal",)
    assert compare(old, old).none
