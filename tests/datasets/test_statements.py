"""Bounds end with the first of their labels that is taken away."""

from collections.abc import Iterator

from msgspec.structs import replace

from edgefactory.datasets import Header, Item
from edgefactory.datasets.statements import without_broken_bounds

from .snapshots import FAR, HEADER, bound, item, seen, vouched

TWO, ONE = bound(2, "a"), bound(1, "b", ("cat",))
ITEMS = (
    item(1, vouched(seen(), TWO), vouched(seen("cat", FAR), ONE)),
    item(2, vouched(seen(), TWO), seen("cat", FAR)),
)


def kept(header: Header, *items: Item) -> tuple[Header, tuple[Item, ...]]:
    def again() -> Iterator[Item]:
        return iter(items)

    new, found = without_broken_bounds(header, again)
    return new, tuple(found())


def test_a_whole_snapshot_keeps_its_bounds() -> None:
    header = replace(HEADER, bounds=(TWO, ONE))
    assert kept(header, *ITEMS) == (header, ITEMS)


def test_a_bound_that_misses_a_label_ends_and_the_others_stay() -> None:
    header, items = kept(replace(HEADER, bounds=(TWO, ONE)), ITEMS[0])
    assert header.bounds == (ONE,)
    assert [label.bound for label in items[0].labels] == [None, ONE.id]


def test_a_bound_on_a_class_that_is_gone_ends() -> None:
    header = replace(HEADER, classes=("person",), bounds=(bound(0, "c", ("cat",)),))
    assert kept(header)[0].bounds == ()


def test_a_bound_on_all_classes_together_names_none() -> None:
    header = replace(HEADER, bounds=(bound(0, "c", ("*",)),))
    assert kept(header)[0] == header
