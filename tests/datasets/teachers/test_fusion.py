"""Several teachers as one: whose box, which score, whose classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgefactory.datasets.errors import InputError
from edgefactory.datasets.teachers import Found, detected, open_teachers, parse_teacher
from edgefactory.datasets.teachers.fusion import Fused, clusters, fused

from .fakes import Fixed
from .graphs import constant_graph, grey, saved

ONE = Fixed(("car", "bus"), ((0, 0, 100, 100, 0.9, 0), (300, 300, 400, 400, 0.6, 1)))
OTHER = Fixed(("bus", "bike"), ((310, 300, 410, 400, 0.3, 0), (500, 500, 520, 520, 0.7, 1)))


def test_boxes_are_weighted_by_their_scores_and_scores_are_averaged() -> None:
    found = Fused((ONE, OTHER), (1, 1), 0.05).predict([grey()])[0]
    assert found.classes.tolist() == [0, 2, 1]
    np.testing.assert_allclose(found.scores, [0.9, 0.7, 0.45], rtol=1e-6)
    x = (300 * 0.6 + 310 * 0.3) / 0.9
    np.testing.assert_allclose(found.boxes[2], [x, 300, x + 100, 400], rtol=1e-6)


def test_a_heavier_teacher_counts_more() -> None:
    found = Fused((ONE, OTHER), (3, 1), 0.05).predict([grey()])[0]
    np.testing.assert_allclose(found.scores[2], (3 * 0.6 + 0.3) / 4, rtol=1e-6)
    x = (300 * 1.8 + 310 * 0.3) / 2.1
    np.testing.assert_allclose(found.boxes[2, 0], x, rtol=1e-6)


def test_who_knows_a_class_and_does_not_see_it_counts_against_it() -> None:
    blind = Fixed(("car", "bus"))
    found = Fused((ONE, blind), (1, 1), 0.4).predict([grey()])[0]
    np.testing.assert_allclose(found.scores, [0.45])  # the bus is at 0.3, under the lowest


def test_seeing_twice_does_not_count_twice() -> None:
    twice = Fixed(("car",), ((0, 0, 100, 100, 0.8, 0), (0, 0, 98, 100, 0.6, 0)))
    found = Fused((twice, Fixed(("car",))), (1, 1), 0.05).predict([grey()])[0]
    np.testing.assert_allclose(found.scores, [0.4])


def test_classifiers_are_averaged_by_name() -> None:
    first, second = Fixed(("a", "b"), shares=(0.9, 0.1)), Fixed(("b", "a"), shares=(0.3, 0.7))
    (found,) = Fused((first, second), (1, 3), 0.05).predict([grey()])
    assert found.probabilities is not None
    np.testing.assert_allclose(found.probabilities, [(0.9 + 3 * 0.7) / 4, 0.25], rtol=1e-6)
    assert found.classes.tolist() == [0]


def test_the_digest_names_all_teachers() -> None:
    other = replace(OTHER, digest="c" * 64)
    cases = [((ONE, ONE), (1, 1)), ((ONE, other), (1, 1)), ((ONE, other), (2, 1))]
    digests = {Fused(teachers, weights, 0).digest for teachers, weights in cases}
    assert len({*digests, ONE.digest, other.digest}) == 5
    assert {len(digest) for digest in digests} == {64}


def test_what_cannot_be_fused_is_refused() -> None:
    shares = Fixed(("car", "bus"), shares=(0.5, 0.5))
    with pytest.raises(InputError, match="detectors and classifiers"):
        Fused((ONE, shares), (1, 1), 0.05)
    with pytest.raises(InputError, match="same classes"):
        Fused((shares, Fixed(("car",), shares=(1.0,))), (1, 1), 0.05)


def test_teachers_of_descriptions_are_fused_by_their_weights(tmp_path: Path) -> None:
    def teacher(name: str, score: float) -> str:
        boxes = np.array([[[10, 10, 50, 50]]], np.float32)
        answers = {"boxes": boxes, "scores": np.array([[score]], np.float32)}
        return f"onnx:{saved(tmp_path / name, constant_graph(answers))}"

    texts = (teacher("a.onnx", 0.9), teacher("b.onnx", 0.3) + "?weight=2")
    specs = [parse_teacher(text, ("car",)) for text in texts]
    (found,) = open_teachers(specs).predict([grey()])
    np.testing.assert_allclose(found.scores, [0.5], rtol=1e-6)
    assert open_teachers(specs[:1]).digest != open_teachers(specs).digest


Rows = list[tuple[tuple[int, int, int, int], int, int]]
corners = st.tuples(st.integers(0, 80), st.integers(0, 80), st.integers(1, 20), st.integers(1, 20))
finds = st.lists(st.tuples(corners, st.integers(1, 100), st.integers(0, 2)), max_size=12)


def as_found(rows: Rows) -> Found:
    boxes = np.asarray([[x, y, x + w, y + h] for (x, y, w, h), _, _ in rows], np.float32)
    scores = np.asarray([score / 100 for _, score, _ in rows], np.float32)
    kinds = np.asarray([kind for _, _, kind in rows], np.int64)
    return detected(boxes.reshape(-1, 4), scores, kinds, (1000, 100))


@given(finds)
@settings(deadline=None, max_examples=25)
def test_looks_that_agree_say_what_one_says(rows: Rows) -> None:
    apart = [((x + 100 * i, y, w, h), s, k) for i, ((x, y, w, h), s, k) in enumerate(rows[:9])]
    found = as_found(apart)
    both = fused([found, found], np.ones((2, 3), np.float32), 0)
    left, expected = np.sort(both.boxes[:, 0]), np.sort(found.boxes[:, 0])
    np.testing.assert_allclose(left, expected, rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(both.scores, found.scores, rtol=1e-5)
    assert sorted(both.classes.tolist()) == sorted(found.classes.tolist())


@given(finds)
@settings(deadline=None, max_examples=25)
def test_every_box_is_in_one_cluster(rows: Rows) -> None:
    found = as_found(rows)
    members = clusters(found.boxes, found.scores)
    assert sorted(i for member in members for i in member) == list(range(len(found.scores)))
