"""What the manifest alone tells: odd boxes, imbalance, neighbours across splits."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from edgefactory.datasets import Header, Item, Split
from edgefactory.datasets.checks import Finding, check_manifest, tabulate

from .pictures import said

DETECTION = Header("toy", "detection", ("person", "cat"), "human")


def item(index: int, **changes: object) -> Item:
    name = f"{index:064x}"
    base = Item(name, f"images/{name}.png", 640, 480, "cam", index, index / 2, "train", ())
    return replace(base, **changes)


def found(items: list[Item], kind: str, header: Header = DETECTION) -> list[Finding]:
    return [f for f in check_manifest(tabulate(header, items)) if f.kind == kind]


def street(count: int) -> list[Item]:
    """Persons whose height follows from where they stand, as under a fixed camera."""
    random = np.random.default_rng(0)
    items = []
    for index in range(count):
        foot = random.uniform(150, 450)
        tall = 0.4 * foot * random.uniform(0.93, 1.07)
        wide, left = tall * random.uniform(0.35, 0.45), random.uniform(20, 500)
        box = (left, foot - tall, left + wide, foot)
        items.append(item(index, labels=(said("person", box),)))
    return items


def test_usual_boxes_are_not_odd() -> None:
    assert found(street(80), "odd-box") == []


@pytest.mark.parametrize(
    ("box", "says"),
    [
        ((100.0, 260.0, 300.0, 400.0), "wider"),
        ((100.0, 20.0, 172.0, 200.0), "larger than usual there"),
        ((100.0, 380.0, 108.0, 400.0), "lower than usual there"),
        ((100.0, 380.0, 102.0, 400.0), "next to nothing"),
    ],
)
def test_an_odd_box_is_named(box: tuple[float, float, float, float], says: str) -> None:
    (one,) = found([*street(80), item(80, labels=(said("person", box),))], "odd-box")
    assert says in one.text
    assert (one.items, one.label) == ((f"{80:064x}",), 0)


def test_a_box_that_the_edge_cuts_is_not_narrow() -> None:
    cut = item(80, labels=(said("person", (0.0, 240.0, 9.0, 400.0)),))
    assert found([*street(80), cut], "odd-box") == []


def test_queued_and_ignored_labels_are_not_judged() -> None:
    huge = said("person", (0.0, 0.0, 600.0, 50.0))
    odd = [replace(huge, state="queued"), replace(huge, ignore=True)]
    assert found([*street(80), item(80, labels=tuple(odd))], "odd-box") == []


def labelled(counts: dict[str, int], split: Split = "train", start: int = 0) -> list[Item]:
    names = [name for name, count in counts.items() for _ in range(count)]
    box = (10.0, 10.0, 60.0, 90.0)
    return [
        item(start + place, labels=(said(name, box),), split=split, frame=None)
        for place, name in enumerate(names)
    ]


def test_a_rare_class_is_named() -> None:
    header = replace(DETECTION, classes=("a", "b", "c"))
    (one,) = found(labelled({"a": 100, "b": 90, "c": 5}), "class-imbalance", header)
    assert one.expected == "c"
    assert found(labelled({"a": 100, "b": 90, "c": 40}), "class-imbalance", header) == []


def test_a_class_that_a_split_lacks_is_named() -> None:
    items = labelled({"person": 60, "cat": 60}) + labelled({"person": 20}, "test", 200)
    (one,) = found(items, "class-imbalance")
    assert one.expected == "cat"
    assert "in test" in one.text


def test_few_pictures_of_a_split_may_lack_a_class() -> None:
    items = labelled({"person": 60, "cat": 60}) + labelled({"person": 3}, "test", 200)
    assert found(items, "class-imbalance") == []


def test_neighbours_across_splits_leak() -> None:
    items = [item(i, split="train" if i < 10 else "test") for i in range(20)]
    (one,) = found(items, "leak")
    assert one.items == (f"{10:064x}", f"{9:064x}")
    gap = [i for i in items if not 8 <= int(i.id, 16) < 10]
    assert found(gap, "leak") == []


def test_pictures_without_frames_have_no_neighbours() -> None:
    items = [item(i, frame=None, split="train" if i % 2 else "test") for i in range(20)]
    assert found(items, "leak") == []
