"""What moves in front of a still camera and is in no box."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from edgefactory.datasets import Item
from edgefactory.datasets.asking.motion import moving, small, triples, typical_size, unexplained

from .pools import said, texture, walk

ITEM = Item("0" * 64, f"images/{'0' * 64}.png", 96, 64, "camera", 1, 0.0, "train", ())


def _walked() -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return moving(*(small(walk(frame)[0]) for frame in (2, 4, 6)))


def test_motion_is_where_the_figure_is_now() -> None:
    rows, columns = np.nonzero(_walked())
    x0, y0, x1, y1 = walk(4)[1]
    assert len(rows) > 50
    assert columns.min() >= x0 * 64 / 96 - 1
    assert columns.max() <= x1 * 64 / 96 + 1
    assert rows.min() >= y0 - 1
    assert rows.max() <= y1 + 1


def test_nothing_moves_in_a_still_scene_with_noise() -> None:
    frames = [texture(3, noise=k) for k in range(3)]
    assert not moving(*map(small, frames)).any()


def test_light_that_changes_everywhere_is_no_motion() -> None:
    frame = texture(3)
    brighter = np.minimum(frame.astype(int) + 25, 255).astype(np.uint8)
    assert not moving(small(frame), small(brighter), small(frame)).any()


def test_a_camera_that_moves_is_not_taken_for_motion() -> None:
    assert not moving(*(small(texture(seed)) for seed in (1, 2, 3))).any()


def test_a_box_explains_what_moves_in_it() -> None:
    found = _walked()
    boxed = replace(ITEM, labels=(said("person", 0.9, walk(4)[1]),))
    elsewhere = replace(ITEM, labels=(said("person", 0.9, (0.0, 0.0, 10.0, 10.0)),))
    assert unexplained(found, boxed, 20.0) == 0
    assert unexplained(found, ITEM, 20.0) == 1
    assert unexplained(found, elsewhere, 20.0) == 1


def test_a_box_that_a_person_rejected_explains_nothing() -> None:
    label = replace(said("person", 0.9, walk(4)[1]), state="rejected")
    assert unexplained(_walked(), replace(ITEM, labels=(label,)), 20.0) == 1


def test_what_moves_is_weighed_against_the_usual_object() -> None:
    boxed = replace(ITEM, labels=(said("person", 0.9, (0.0, 0.0, 48.0, 32.0)),))
    assert typical_size([boxed]) == pytest.approx(64 * 64 / 4)
    assert typical_size([ITEM]) == 12
    few = np.zeros((64, 64), np.bool_)
    few[:3, :2] = True
    assert unexplained(few, ITEM, 12.0) == pytest.approx(0.5)


def test_frames_are_compared_with_those_some_time_before_and_after() -> None:
    dense = [0.125 * index for index in range(12)]
    assert list(triples(dense)) == [(now - 4, now, now + 4) for now in range(4, 8)]
    assert list(triples([0.0, 0.5, 1.0, 1.9])) == [(0, 1, 2), (1, 2, 3)]
    assert list(triples([0.0, 0.1, 0.2])) == []
