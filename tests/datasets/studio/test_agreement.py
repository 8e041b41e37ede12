"""Agreement between people: published examples, another implementation, and the one-class case."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from edgefactory.datasets.studio.agreement import Seen, agreement, alpha, distance

LEFT, RIGHT = (0.1, 0.1, 0.3, 0.5), (0.6, 0.1, 0.8, 0.5)

# Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), section C: four observers.
OBSERVERS = ("123321412...", "1233224125.3", ".3332342251.", "12332441251.")


def whole(class_: str) -> Seen:
    return ((class_, None),)


def persons(*boxes: tuple[float, float, float, float]) -> Seen:
    return tuple(("person", box) for box in boxes)


def test_alpha_of_the_published_example() -> None:
    units = [
        [whole(value) for value in column if value != "."]
        for column in zip(*OBSERVERS, strict=True)
    ]
    assert alpha(units) == pytest.approx(0.743, abs=0.0005)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=2, max_size=40))
def test_kappa_is_cohens(answers: list[tuple[str, str]]) -> None:
    said = [{"ann": whole(one), "bob": whole(two)} for one, two in answers]
    (pair,) = agreement(said).pairs
    if len({value for both in answers for value in both}) == 1:
        assert pair.kappa is None
    else:
        expected = cohen_kappa_score([one for one, _ in answers], [two for _, two in answers])
        assert pair.kappa == pytest.approx(expected)


def test_boxes_match_by_overlap_and_class() -> None:
    near = (0.1, 0.1, 0.3, 0.48)
    assert distance(persons(LEFT, RIGHT), persons(RIGHT, near)) == 0
    assert distance(persons(LEFT), persons(LEFT, RIGHT)) == pytest.approx(1 / 3)
    assert distance(persons(LEFT), persons(RIGHT)) == 1
    assert distance(persons(LEFT), (("car", LEFT),)) == 1
    assert distance((), ()) == 0
    assert distance((), persons(LEFT)) == 1


def test_one_box_matches_one_box_only() -> None:
    assert distance(persons(LEFT), persons(LEFT, LEFT)) == pytest.approx(1 / 3)


def test_the_best_matching_is_found_where_a_greedy_one_fails() -> None:
    # The first fits both of the other's boxes, the second only the one that the first likes best.
    first, second = (0.0, 0.0, 1.0, 0.5), (0.0, 0.15, 1.0, 0.65)
    other, shared = (0.0, 0.0, 1.0, 0.34), (0.0, 0.04, 1.0, 0.54)
    assert distance(persons(first, second), persons(shared, other)) == 0


def test_one_class_still_has_an_alpha() -> None:
    """Nine of ten boxes agree: far above chance, though nobody ever says anything but person."""
    units = [[persons((i / 20, 0, (i + 1) / 20, 1))] * 2 for i in range(9)]
    units.append([persons(LEFT), persons(RIGHT)])
    found = alpha(units)
    assert found is not None
    assert found > 0.85


def test_people_who_always_say_the_same_have_no_alpha() -> None:
    assert alpha([[whole("a"), whole("a")]] * 5) is None
    assert alpha([[whole("a")], []]) is None


@pytest.mark.parametrize("order", [(3, 2, 1, 0), (1, 0, 3, 2)])
def test_alpha_does_not_depend_on_the_order_of_people(order: tuple[int, ...]) -> None:
    columns = [
        [whole(value) for value in column if value != "."]
        for column in zip(*(OBSERVERS[i] for i in order), strict=True)
    ]
    assert alpha(columns) == pytest.approx(0.743, abs=0.0005)


def test_pictures_that_one_person_saw_do_not_count() -> None:
    found = agreement([{"ann": whole("a")}, {"ann": whole("a"), "bob": whole("b")}])
    assert found.pictures == 1
    (pair,) = found.pairs
    assert (pair.first, pair.second, pair.pictures, pair.f) == ("ann", "bob", 1, 0.0)


def test_many_pictures_are_sampled_for_chance() -> None:
    """Beyond 10,000 pairs chance is estimated: two classes, half each, always agreed."""
    found = agreement([{"ann": whole("ab"[i % 2]), "bob": whole("ab"[i % 2])} for i in range(400)])
    assert found.alpha == pytest.approx(1.0)
    mixed = agreement(
        [{"ann": whole("ab"[i % 2]), "bob": whole("ab"[i // 2 % 2])} for i in range(400)]
    )
    (pair,) = mixed.pairs
    assert pair.kappa == pytest.approx(0.0, abs=0.03)
    assert mixed.alpha == pytest.approx(0.0, abs=0.03)
