"""Tightening: boxes shrink to what differs from the background, and only to that."""

import numpy as np
import pytest

from edgefactory.datasets.errors import InputError
from edgefactory.datasets.tightening import background, tightened

GREY = np.full((100, 200, 3), 90, np.uint8)


def with_person(
    x0: int, y0: int, x1: int, y1: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    picture = GREY.copy()
    picture[y0:y1, x0:x1] = 200
    return picture


def box(*corners: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.asarray([corners], np.float32)


def test_a_loose_box_shrinks_to_the_person() -> None:
    found = tightened(with_person(60, 20, 80, 80), GREY, box(55, 15, 88, 84))
    assert found[0] == pytest.approx([60, 20, 80, 80], abs=1)


def test_no_side_gives_way_by_more_than_its_share() -> None:
    found = tightened(with_person(90, 20, 130, 80), GREY, box(50, 20, 130, 80))
    assert found[0][0] == pytest.approx(50 + 0.35 * 80, abs=1)


def test_a_person_like_the_background_keeps_the_box() -> None:
    loose = box(55, 15, 88, 84)
    assert np.array_equal(tightened(GREY, GREY, loose), loose)


def test_a_moving_camera_keeps_the_boxes() -> None:
    noise = np.random.default_rng(0).integers(0, 256, GREY.shape, np.uint8)
    assert tightened(noise, GREY, box(50, 10, 90, 90))[0] == pytest.approx([50, 10, 90, 90], abs=1)


def test_boxes_beyond_the_border_and_none_at_all() -> None:
    picture = with_person(0, 20, 20, 80)
    assert tightened(picture, GREY, box(-8, 15, 26, 84))[0] == pytest.approx([0, 20, 20, 80], abs=1)
    assert tightened(picture, GREY, np.zeros((0, 4), np.float32)).shape == (0, 4)


def test_the_background_is_what_stays_when_people_pass() -> None:
    passing = [with_person(10 * i, 20, 10 * i + 20, 80) for i in range(15)]
    assert np.array_equal(background(passing), GREY)


def test_a_background_needs_pictures_of_one_size() -> None:
    with pytest.raises(InputError, match="one size"):
        background([])
    with pytest.raises(InputError, match="one size"):
        background([GREY, GREY[:50]])
