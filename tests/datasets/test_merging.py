"""Several snapshots as one."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from edge_runtime.contract import Features
from edgefactory.datasets import Header, Item, MergeSettings, merge, read_manifest, read_snapshot
from edgefactory.datasets.errors import InputError

from .snapshots import BOX, FAR, HEADER, bound, content, item, said, seen, vouched, write

PLAIN = MergeSettings()


def merged(root: Path, *snapshots: list[Item], settings: MergeSettings = PLAIN) -> tuple[Item, ...]:
    folders = [write(root / f"s{n}", items) for n, items in enumerate(snapshots)]
    merge(folders, settings, root / "out")
    return read_snapshot(root / "out").items


def test_pictures_come_in_order_once_and_with_their_bytes(tmp_path: Path) -> None:
    a, b = [item(n) for n in (1, 2, 3)], [item(n) for n in (4, 2, 5)]
    found = merged(tmp_path, a, b)
    assert [i.id for i in found] == [item(n).id for n in (1, 2, 3, 4, 5)]
    assert (tmp_path / "out" / found[3].file).read_bytes() == content(4)


def test_between_machines_the_first_wins(tmp_path: Path) -> None:
    (found,) = merged(tmp_path, [item(1, seen())], [item(1, seen("cat"))])
    assert found.labels == (seen(),)


@pytest.mark.parametrize("human_first", [True, False])
def test_a_person_wins_over_a_machine(tmp_path: Path, human_first: bool) -> None:
    human = item(1, said("cat", FAR))
    pair = [[human], [item(1, seen(), seen("cat", FAR))]]
    assert merged(tmp_path, *(pair if human_first else pair[::-1])) == (human,)


@pytest.mark.parametrize(
    ("left", "right", "winner"),
    [
        ((said(),), (said(who="bob"),), 0),  # both say the same
        ((said(),), (said(), said("cat", FAR)), 1),  # one says more
        ((said(), seen("cat", FAR)), (), 0),
    ],
)
def test_people_who_agree_are_no_conflict(
    tmp_path: Path, left: tuple[object, ...], right: tuple[object, ...], winner: int
) -> None:
    pair = (replace(item(1), labels=left), replace(item(1), labels=right))
    assert merged(tmp_path, [pair[0]], [pair[1]]) == (pair[winner],)


def test_who_has_seen_the_whole_picture_wins_if_nobody_contradicts(tmp_path: Path) -> None:
    whole = replace(item(1, said(), said("cat", FAR)), reviewed=True)
    assert merged(tmp_path, [item(1, said())], [whole]) == (whole,)


CONFLICTS = [
    (item(1, said()), item(1, said("cat"))),
    (item(1, said()), replace(item(1), reviewed=True)),
    (replace(item(1, said()), reviewed=True), replace(item(1, said("cat")), reviewed=True)),
    (item(1, said()), item(1, replace(seen(), state="rejected"))),
]


@pytest.mark.parametrize(("one", "other"), CONFLICTS)
def test_people_who_contradict_each_other_are_an_error_that_names_the_picture(
    tmp_path: Path, one: Item, other: Item
) -> None:
    one, other = (replace(each, name="yard/1.jpg") for each in (one, other))
    with pytest.raises(InputError, match=r"picture yard/1\.jpg: people say .*s0 and in .*s1"):
        merged(tmp_path, [one], [other])
    assert not (tmp_path / "out").exists()
    assert merged(tmp_path, [one], [other], settings=MergeSettings(prefer=1)) == (other,)
    assert merged(tmp_path, [one], [other], settings=MergeSettings(prefer=0)) == (one,)


def test_a_picture_in_different_splits_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is in train of .*s0 and in test of .*s1"):
        merged(tmp_path, [item(1)], [item(1, split="test")])


def test_classes_must_be_the_same_or_become_so(tmp_path: Path) -> None:
    other = Header("other", "detection", ("human", "cat", "dog"), "human")
    folders = [
        write(tmp_path / "a", [item(1, seen())]),
        write(tmp_path / "b", [item(2, seen("human"), seen("dog", FAR))], other),
    ]
    with pytest.raises(InputError, match=r"only one has dog, human, person.*--map"):
        merge(folders, PLAIN, tmp_path / "out")
    mapping = {"human": "person", "dog": None}
    _, union = merge(folders, MergeSettings("both", mapping), tmp_path / "out")
    new = read_manifest(tmp_path / "out")
    assert (new.name, new.classes, new.test_labels) == ("both", ("person", "cat"), "teacher")
    assert [label.class_ for i in new.items for label in i.labels] == ["person", "person"]
    assert (union.pictures, union.shared) == (2, 0)
    with pytest.raises(InputError, match="no snapshot has the class 'fox'"):
        merge(folders, MergeSettings(mapping={"fox": None}), tmp_path / "out")


def test_snapshots_of_different_tasks_are_refused(tmp_path: Path) -> None:
    other = Header("other", "classification", HEADER.classes, "human")
    folders = [write(tmp_path / "a", []), write(tmp_path / "b", [], other)]
    with pytest.raises(InputError, match=r"for classification, .* for detection"):
        merge(folders, PLAIN, tmp_path / "out")


def test_equal_names_of_different_pictures_are_told_apart(tmp_path: Path) -> None:
    a, b = (replace(item(n), name="1.jpg") for n in (1, 2))
    assert [i.name for i in merged(tmp_path, [a], [b])] == ["1.jpg", "toy-2/1.jpg"]


def test_a_bound_holds_on_while_all_its_labels_are_there(tmp_path: Path) -> None:
    mine, theirs = bound(2, "a"), bound(1, "b")
    a = write(
        tmp_path / "a",
        [item(n, vouched(seen(), mine)) for n in (1, 2)],
        replace(HEADER, bounds=(mine,)),
    )
    b = write(tmp_path / "b", [item(3, vouched(seen(), theirs))], replace(HEADER, bounds=(theirs,)))
    merge([a, b], PLAIN, tmp_path / "both")
    assert read_manifest(tmp_path / "both").bounds == (mine, theirs)
    human = write(tmp_path / "c", [item(2, said())])
    _, union = merge([a, b, human], PLAIN, tmp_path / "less")
    assert union.bounds_ended == 1
    assert read_manifest(tmp_path / "less").bounds == (theirs,)


def test_three_snapshots_meet_in_one_picture(tmp_path: Path) -> None:
    first, second = item(1, seen()), item(1, seen("cat"))
    third = item(1, said("cat", BOX))
    assert merged(tmp_path, [first], [second], [third]) == (third,)


def test_sequences_are_merged_only_with_their_like(tmp_path: Path) -> None:
    signal = Features(1.0, (0.0,) * 48, (1.0,) * 48, 64)
    folders = [
        write(tmp_path / str(n), [item(n, seen())], replace(HEADER, signal=one))
        for n, one in enumerate((signal, signal, replace(signal, rate=2.0), None))
    ]
    merge(folders[:2], PLAIN, tmp_path / "both")
    assert read_manifest(tmp_path / "both").signal == signal
    for other in folders[2:]:
        with pytest.raises(InputError, match=r"make pictures of sequences differently; .*--signal"):
            merge([folders[0], other], PLAIN, tmp_path / "out")
