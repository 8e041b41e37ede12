"""Bad light, blur and covered views are told against the picture's own source."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from edgefactory.datasets.checks.quality import Fault, find_faults
from edgefactory.datasets.checks.scenes import Emptiness, find_scenes

from .pictures import HEIGHT, WIDTH, Pixels, digits, measured, still


def faults_of(pictures: list[Pixels], source: list[int] | None = None) -> list[Fault]:
    measures = measured(pictures)
    of = np.asarray(source or [0] * len(pictures), np.int32)
    return find_faults(measures, of, find_scenes(measures, of))


def covered(pixels: Pixels) -> Pixels:
    changed = pixels.copy()
    changed[:, : WIDTH // 3] = (30, 30, 60)
    return changed


def test_each_fault_is_named_and_clean_frames_are_not() -> None:
    frames = [still(index) for index in range(30)]
    assert faults_of(frames) == []
    frames[4] = (frames[4] * 0.15).astype(np.uint8)
    frames[9] = np.clip(frames[9].astype(np.int16) * 3, 0, 255).astype(np.uint8)
    frames[13] = np.asarray(Image.fromarray(frames[13]).filter(ImageFilter.GaussianBlur(3)))
    frames[21] = covered(frames[21])
    found = [(fault.kind, fault.picture) for fault in faults_of(frames)]
    assert found == [("dark", 4), ("over-exposed", 9), ("blurred", 13), ("occluded", 21)]


def test_a_dark_source_is_not_a_fault() -> None:
    day = [still(index) for index in range(12)]
    night = [(still(index, seed=1) * 0.25).astype(np.uint8) for index in range(12)]
    assert faults_of(day + night, [0] * 12 + [1] * 12) == []


def test_black_is_a_fault_wherever_it_is() -> None:
    frames = [still(index) for index in range(3)]
    black = np.zeros_like(frames[0])
    assert [(f.kind, f.picture) for f in faults_of([*frames, black])] == [("dark", 3)]


def test_pictures_of_many_things_have_no_scene_to_cover() -> None:
    pictures, _ = digits(60)
    assert [f for f in faults_of(pictures) if f.kind in ("occluded", "over-exposed")] == []


def test_a_place_is_empty_where_nobody_walks() -> None:
    frames = [still(index) for index in range(30)]
    frames[7] = still(7).copy()
    frames[7][40:80, 100:120] = 250
    measures = measured(frames)
    empty = Emptiness(find_scenes(measures, np.zeros(30, np.int32)), measures.thumb)
    assert empty(7, (100 / WIDTH, 40 / HEIGHT, 120 / WIDTH, 80 / HEIGHT)) is False
    assert empty(8, (100 / WIDTH, 105 / HEIGHT, 120 / WIDTH, 115 / HEIGHT)) is True
    assert empty(30, (0.0, 0.0, 0.5, 0.5)) is None
