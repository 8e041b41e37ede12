"""The tiled teacher: where it looks, how it merges, which engines it runs on."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.teacher import (
    Engine,
    TeacherSettings,
    TiledTeacher,
    merge,
    suppress,
    tiles,
)

SETTINGS = TeacherSettings(engine="onnxruntime")


@given(st.integers(1, 2000), st.integers(1, 2000))
def test_tiles_cover_every_pixel_and_stay_inside(width: int, height: int) -> None:
    windows = tiles(width, height, SETTINGS)
    assert all(0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height for x0, y0, x1, y1 in windows)
    for axis, size in ((0, width), (1, height)):
        spans = sorted({(w[axis], w[axis + 2]) for w in windows})
        assert spans[0][0] == 0
        assert spans[-1][1] == size
        x0, _, x1, _ = windows[0]
        for (_, end), (start, _) in pairwise(spans):
            assert start <= end - int((1 - SETTINGS.stride) * (x1 - x0))


def test_a_small_picture_is_seen_once() -> None:
    assert tiles(200, 100, SETTINGS) == [(0, 0, 200, 100)]


def test_boxes_are_placed_in_the_picture() -> None:
    boxes = np.array([[[30, 60, 60, 120]]], np.float32)
    found = merge(boxes, np.array([[0.9]], np.float32), [(0, 0, 600, 900)], (600, 900), SETTINGS)
    np.testing.assert_allclose(found.boxes, [[60, 180, 120, 360]])


def test_a_box_at_an_inner_edge_is_cut_and_at_the_pictures_edge_is_not() -> None:
    window = (0, 0, 300, 300)
    boxes = np.array([[[250, 50, 300, 150], [0, 50, 40, 150]]], np.float32)
    scores = np.array([[0.9, 0.8]], np.float32)
    found = merge(boxes, scores, [window], (600, 300), SETTINGS)
    np.testing.assert_allclose(found.boxes, [[0, 50, 40, 150]])
    assert len(merge(boxes, scores, [window], (300, 300), SETTINGS).scores) == 2


def test_suppression_keeps_the_better_of_two_that_overlap() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [30, 0, 40, 10]], np.float32)
    assert suppress(boxes, np.array([0.5, 0.9, 0.7], np.float32), 0.5).tolist() == [1, 2]


def test_suppression_of_nothing_is_nothing() -> None:
    assert suppress(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), 0.5).size == 0


def grey(width: int, height: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), 128, np.uint8)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("threads", [1, 2])
def test_engines_see_the_same(tiny_teacher: Path, engine: Engine, threads: int) -> None:
    teacher = TiledTeacher(tiny_teacher, TeacherSettings(engine=engine, threads=threads))
    found = teacher.predict(grey(200, 100))
    np.testing.assert_allclose(found.scores, [0.9, 0.3], rtol=1e-6)
    np.testing.assert_allclose(found.boxes, [[20, 20, 60, 80], [100, 20, 140, 80]], atol=1e-4)


def test_passes_are_the_tiles(tiny_teacher: Path) -> None:
    assert TiledTeacher(tiny_teacher, SETTINGS).passes_per_frame(768, 576) == 16


def test_the_whole_picture_is_one_pass_more() -> None:
    without = tiles(768, 576, replace(SETTINGS, whole=False))
    assert tiles(768, 576, replace(SETTINGS, whole=True)) == [*without, (0, 0, 768, 576)]


def test_what_is_no_model_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(b"not a model")
    for engine in ("onnxruntime", "openvino"):
        with pytest.raises(InputError, match=r"bad\.onnx") as caught:
            TiledTeacher(path, TeacherSettings(engine=engine))
        assert "\n" not in str(caught.value)
    with pytest.raises(MissingError):
        TiledTeacher(tmp_path / "none.onnx", SETTINGS)


def test_a_picture_of_another_kind_is_refused(tiny_teacher: Path) -> None:
    with pytest.raises(InputError, match=r"uint8 \[H,W,3\]"):
        TiledTeacher(tiny_teacher, SETTINGS).predict(np.zeros((10, 10), np.uint8))


@pytest.mark.parametrize("wrong", [{"stride": 400}, {"threads": 0}, {"min_score": 0.0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError):
        TeacherSettings(**wrong)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(InputError, match="bf16"):
        TeacherSettings(engine="onnxruntime", precision="bf16")
