"""Tiles, the mirror image and other sizes: a thing is found where it is, and once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgefactory.datasets.errors import InputError
from edgefactory.datasets.teachers import open_teacher, parse_teacher
from edgefactory.datasets.teachers.views import Augmented, Tiled

from .fakes import Bright, Fixed, scene
from .graphs import constant_graph, grey, saved

BOX = (240, 120, 300, 200)


def box_inside(tile: int) -> st.SearchStrategy[tuple[int, int, int, int]]:
    """Boxes in 800x600 that are smaller than the overlap of tiles of half the shorter side."""
    corner = st.tuples(st.integers(0, 700), st.integers(0, 500))
    side = st.integers(8, tile // 2 - 8)
    return st.builds(lambda c, w, h: (c[0], c[1], c[0] + w, c[1] + h), corner, side, side).filter(
        lambda box: box[2] <= 800 and box[3] <= 600
    )


@given(box_inside(300))
@settings(deadline=None, max_examples=12)
def test_tiles_find_a_small_thing_once_wherever_it_is(box: tuple[int, int, int, int]) -> None:
    found = Tiled(Bright(), 0.5, 0.5, whole=False).predict([scene(box)])[0]
    assert found.boxes.tolist() == [list(box)]


def test_a_thing_larger_than_a_tile_is_found_in_the_whole_picture() -> None:
    large = (50, 50, 700, 550)
    assert len(Tiled(Bright(), 0.5, 0.5, whole=False).predict([scene(large)])[0].boxes) == 0
    found = Tiled(Bright(), 0.5, 0.5, whole=True).predict([scene(large)])[0]
    assert found.boxes.tolist() == [list(large)]


def test_two_classes_in_one_place_both_stay() -> None:
    two = Fixed(("a", "b"), ((10, 10, 50, 50, 0.9, 0), (10, 10, 50, 50, 0.8, 1)))
    found = Tiled(two, 0.5, 0.5, whole=True).predict([grey(200, 200)])[0]
    assert found.classes.tolist() == [0, 1]


@given(st.booleans(), st.lists(st.sampled_from([0.5, 1.0, 2.0]), min_size=1, max_size=3))
@settings(deadline=None, max_examples=10)
def test_the_mirror_and_other_sizes_find_it_in_the_same_place(
    mirror: bool, scales: list[float]
) -> None:
    teacher = Augmented(Bright(), mirror, tuple(scales), 0.05)
    found = teacher.predict([scene(BOX, (400, 300)), scene((0, 0, 20, 20), (401, 299))])
    np.testing.assert_allclose(found[0].boxes, [BOX], atol=2)
    np.testing.assert_allclose(found[1].boxes, [[0, 0, 20, 20]], atol=2)
    np.testing.assert_allclose(found[0].scores, [0.8], rtol=1e-6)


def test_what_one_look_of_two_finds_has_half_its_score() -> None:
    off_centre = Fixed(("a",), ((10, 10, 50, 50, 0.8, 0),))  # the same in the mirror image
    found = Augmented(off_centre, True, (1.0,), 0.05).predict([grey(200, 100)])[0]
    np.testing.assert_allclose(found.scores, [0.4, 0.4])
    assert found.boxes[:, 0].tolist() == [10, 150]
    assert len(Augmented(off_centre, True, (1.0,), 0.5).predict([grey()])[0].scores) == 0


def test_a_classifiers_looks_are_averaged() -> None:
    found = Augmented(Fixed(("a", "b"), shares=(0.25, 0.75)), True, (1.0, 2.0), 0.05)
    (answer,) = found.predict([grey()])
    assert answer.probabilities is not None
    assert answer.probabilities.tolist() == [0.25, 0.75]


def test_views_of_a_description(tmp_path: Path) -> None:
    answers = {
        "boxes": np.array([[[2, 2, 8, 8]]], np.float32),
        "scores": np.array([[0.8]], np.float32),
    }
    path = saved(tmp_path / "m.onnx", constant_graph(answers))
    once = open_teacher(parse_teacher(f"onnx:{path}", ("a",)))
    (found,) = once.predict([grey(600, 600)])
    assert found.boxes.tolist() == [[2, 2, 8, 8]]
    views = open_teacher(parse_teacher(f"onnx:{path}?tile=0.5&whole=0&mirror=1", ("a",)))
    assert (views.digest, views.classes, views.task) == (once.digest, ("a",), "detection")
    (found,) = views.predict([grey(600, 600)])
    assert len(found.scores) == 2 * 9  # nine tiles, and those of the mirror image elsewhere
    np.testing.assert_allclose(found.scores, 0.4)


def test_tiles_of_a_classifier_are_refused() -> None:
    with pytest.raises(InputError, match="tiles are for detectors"):
        Tiled(Fixed(("a", "b"), shares=(0.5, 0.5)), 0.5, 0.5, whole=True)
