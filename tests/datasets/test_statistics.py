"""A snapshot, counted."""

from pathlib import Path

from msgspec.structs import replace

from edgefactory.datasets import statistics
from edgefactory.datasets.statistics import size_of

from .snapshots import FAR, HEADER, bound, item, said, seen, vouched, write


def test_everything_is_counted_once(tmp_path: Path) -> None:
    vow = bound(1)
    items = [
        item(1, vouched(seen(), vow), seen("cat", FAR), replace(seen("cat"), state="queued")),
        replace(item(2, said(), replace(said(), ignore=True)), reviewed=True),
        replace(item(3, split="test"), source="yard"),
    ]
    folder = write(tmp_path / "a", items, replace(HEADER, bounds=(vow,)))
    found = statistics(folder)
    assert (found.pictures, found.labels, found.bounded) == (3, 5, 1)
    train = found.splits["train"]
    assert (train.pictures, train.empty, train.reviewed, train.labels) == (2, 0, 1, 5)
    assert found.splits["test"].empty == 1
    cat, person = found.classes["cat"]["train"], found.classes["person"]["train"]
    assert (cat.pictures, cat.labels, cat.states) == (1, 2, {"accepted": 1, "queued": 1})
    assert (person.pictures, person.labels, person.ignored) == (2, 3, 1)
    assert person.origins == {"teacher": 1, "human": 2}
    assert person.sizes == {"small": 3}
    cam = found.sources["cam"]
    assert (cam.pictures, cam.first, cam.last) == (2, 1.0, 2.0)
    assert found.sources["yard"].pictures == 1


def test_sizes_are_those_of_coco() -> None:
    sizes = [size_of((0.0, 0.0, side, side)) for side in (31.9, 32.0, 95.9, 96.0)]
    assert sizes == ["small", "medium", "medium", "large"]
