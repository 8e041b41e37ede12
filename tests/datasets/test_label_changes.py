"""What became of one picture's labels."""

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from edgefactory.datasets.label_changes import LabelChange, label_changes
from edgefactory.datasets.lines import Mark

A = Mark("person", (0.0, 0.0, 10.0, 10.0), "teacher:x", 0.9, "accepted")
B = Mark("person", (20.0, 0.0, 30.0, 10.0), "teacher:x", 0.8, "accepted")
C = Mark("cat", (40.0, 40.0, 44.0, 44.0), "teacher:x", 0.7, "queued")


def kinds(old: list[Mark], new: list[Mark]) -> list[tuple[str, str]]:
    return sorted((change.kind, change.class_) for change in label_changes(old, new))


def test_labels_in_another_order_are_the_same() -> None:
    assert label_changes([A, B, C], [C, A, B]) == []


def test_boxes_of_one_class_that_overlap_and_change_places_are_the_same() -> None:
    near = replace(A, box=(1.0, 0.0, 11.0, 10.0))
    assert label_changes([A, near], [near, A]) == []


def test_what_comes_and_goes() -> None:
    assert kinds([A, B], [B, C]) == [("added", "cat"), ("removed", "person")]
    assert kinds([A], [A, C]) == [("added", "cat")]
    assert kinds([A, C], [A]) == [("removed", "cat")]


def test_a_box_that_moved_is_the_same_thing_and_one_that_jumped_is_not() -> None:
    assert kinds([A], [replace(A, box=(1.0, 0.0, 11.0, 10.0))]) == [("box", "person")]
    jumped = replace(A, box=(8.0, 0.0, 18.0, 10.0))
    assert kinds([A], [jumped]) == [("added", "person"), ("removed", "person")]


def test_a_renamed_label_says_from_what_to_what() -> None:
    assert label_changes([A], [replace(A, class_="cat")]) == [LabelChange("class", "person", "cat")]


def test_one_label_may_change_in_several_ways() -> None:
    new = replace(A, class_="cat", state="reviewed", origin="human:ann", score=1.0)
    assert kinds([A, B], [B, new]) == [
        ("class", "person"),
        ("other", "person"),
        ("state", "person"),
    ]


def test_the_same_class_is_a_better_partner_than_a_larger_overlap() -> None:
    other = replace(A, class_="cat", score=0.1)
    mine = replace(A, box=(2.0, 0.0, 12.0, 10.0))
    assert kinds([A], [other, mine]) == [("added", "cat"), ("box", "person")]


def test_labels_of_the_whole_picture_are_of_one_thing() -> None:
    old, new = replace(A, box=None), replace(A, box=None, class_="cat")
    assert label_changes([old], [new]) == [LabelChange("class", "person", "cat")]


def marks() -> st.SearchStrategy[list[Mark]]:
    corner = st.integers(0, 12).map(float)
    box = st.builds(lambda x, y: (x, y, x + 10.0, y + 10.0), corner, corner)
    mark = st.builds(
        Mark, st.sampled_from(["person", "cat"]), box, st.just("teacher:x"),
        st.sampled_from([0.5, 0.9]), st.sampled_from(["accepted", "queued"]),
    )  # fmt: skip
    return st.lists(mark, max_size=4)


@settings(deadline=None, max_examples=60)
@given(old=marks(), new=marks())
def test_counts_add_up_and_nothing_changed_means_equal(old: list[Mark], new: list[Mark]) -> None:
    changes = label_changes(old, new)
    added = sum(change.kind == "added" for change in changes)
    removed = sum(change.kind == "removed" for change in changes)
    assert len(new) - len(old) == added - removed
    assert (not changes) == (sorted(map(repr, old)) == sorted(map(repr, new)))
