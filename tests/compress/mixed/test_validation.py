"""What a candidate loses, overall and by slice, on the pictures where FP32 was asked."""

import numpy as np
import pytest

from edgefactory.compress.mixed import Margins, Validation
from edgefactory.datasets import Item, Label
from edgefactory.datasets.errors import InputError
from edgefactory.training import Detections

DAY = 1_700_000_000.0


def _item(number: int, kind: str, source: str, box: bool) -> Item:
    place = (0.0, 0.0, 10.0, 10.0) if box else None
    label = Label(kind, place, "human:tester", 1.0, "reviewed")
    return Item(
        f"{number:064x}", f"images/{number}.png", 32, 32, source, number, DAY, "val", (label,)
    )


def _classes(right: int) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    """40 answers of which the first `right` are right; picture i is of class i % 2."""
    table = np.eye(2)[[(i % 2) if i < right else 1 - i % 2 for i in range(40)]]
    return list(table)


@pytest.fixture
def pictures() -> list[Item]:
    """40 of two classes; the last 20 are of the second camera."""
    kinds, sources = ("a", "b"), ("door", "hall")
    return [_item(i, kinds[i % 2], sources[i // 20], box=False) for i in range(40)]


def test_each_slice_is_judged_by_its_own_pictures(pictures: list[Item]) -> None:
    validation = Validation(pictures, ("a", "b"), _classes(40), Margins(0.1, 0.2))
    drops = {f"{d.by}:{d.name}": d for d in validation.drops(_classes(30))}
    assert drops["all:all"].value == pytest.approx(0.25)
    assert drops["source:door"].value == 0.0
    assert drops["source:hall"].value == pytest.approx(0.5)
    assert drops["class:a"].value == pytest.approx(0.25)
    assert drops["source:hall"].n == 20
    assert drops["source:hall"].margin == 0.2


def test_without_a_margin_for_slices_only_the_whole_is_judged(pictures: list[Item]) -> None:
    validation = Validation(pictures, ("a", "b"), _classes(40), Margins(0.1, None))
    assert [drop.by for drop in validation.drops(_classes(30))] == ["all"]


def test_slices_too_small_for_a_figure_are_left_out(pictures: list[Item]) -> None:
    few = pictures[:22]
    validation = Validation(few, ("a", "b"), _classes(40)[:22], Margins(0.1, 0.2))
    assert "source hall" not in {f"{d.by} {d.name}" for d in validation.drops(_classes(40)[:22])}


def test_a_margin_for_a_slice_that_is_not_there_is_refused(pictures: list[Item]) -> None:
    with pytest.raises(InputError, match=r"no slice is called 'source:yard'.*source:door"):
        Validation(pictures, ("a", "b"), _classes(40), Margins(named={"source:yard": 0.1}))


def test_boxes_are_judged_by_class() -> None:
    items = [_item(i, ("a", "b")[i % 2], "door", box=True) for i in range(40)]
    found = [_found(i % 2) for i in range(40)]
    missed = [_found(0) for i in range(40)]
    validation = Validation(items, ("a", "b"), found, Margins(0.1, 0.2))
    drops = {f"{d.by}:{d.name}": d.value for d in validation.drops(missed)}
    assert drops["class:b"] == pytest.approx(1.0)
    # What is found in pictures of the other class is wrong, below what is right.
    assert drops["class:a"] < drops["all:all"] < drops["class:b"]


def _found(label: int) -> Detections:
    return Detections(np.array([[0.0, 0.0, 10.0, 10.0]]), np.array([0.9]), np.array([label]))


def test_no_picture_to_validate_on_is_refused() -> None:
    with pytest.raises(InputError, match="no labelled picture to validate on"):
        Validation([], ("a", "b"), [], Margins())


def test_answers_to_other_pictures_are_refused(pictures: list[Item]) -> None:
    validation = Validation(pictures, ("a", "b"), _classes(40), Margins())
    with pytest.raises(InputError, match="found 39 answers for 40 pictures"):
        validation.drops(_classes(40)[:39])
