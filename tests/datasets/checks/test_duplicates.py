"""Duplicates are found in whatever dress, and different pictures are no duplicates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edgefactory.datasets.checks.duplicates import Pair, find_duplicates, forest
from edgefactory.datasets.checks.scenes import find_scenes

from .pictures import Pixels, digits, measured, still


def disguised(pixels: Pixels) -> Pixels:
    """Cropped, reduced and lit otherwise."""
    height, width = pixels.shape[:2]
    cut = Image.fromarray(pixels[height // 40 :, : width - width // 40])
    small = cut.resize((round(width * 0.8), round(height * 0.8)), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(small) * 0.93 + 6, 0, 255).astype(np.uint8)


def pairs_of(pictures: Sequence[Pixels]) -> set[tuple[int, int, bool]]:
    measures = measured(pictures)
    scenes = find_scenes(measures, np.zeros(len(pictures), np.int32))
    return {(pair.a, pair.b, pair.exact) for pair in find_duplicates(measures, scenes)}


def test_digits_that_are_copied_are_found_and_no_other() -> None:
    pictures, _ = digits(120)
    copies = [pictures[3].copy(), disguised(pictures[40]), disguised(pictures[77])]
    assert pairs_of([*pictures, *copies]) == {(3, 120, True), (40, 121, False), (77, 122, False)}


def test_a_still_camera_has_no_duplicates_but_the_copies() -> None:
    pictures = [still(index) for index in range(24)]
    assert pairs_of(pictures) == set()
    assert pairs_of([*pictures, disguised(pictures[5])]) == {(5, 24, False)}


def test_pictures_that_show_nothing_are_only_exact_duplicates() -> None:
    flat = [np.full((40, 40, 3), level, np.uint8) for level in (10, 12, 10)]
    assert pairs_of(flat) == {(0, 2, True)}


def test_equal_bytes_of_another_shape_are_another_picture() -> None:
    wide = np.full((20, 40, 3), 90, np.uint8)
    assert pairs_of([wide, wide.reshape(40, 20, 3)]) == set()


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30))
def test_a_forest_connects_what_the_pairs_connect(edges: list[tuple[int, int]]) -> None:
    pairs = [Pair(min(e), max(e), float(sum(e)), exact=False) for e in edges if e[0] != e[1]]
    kept = forest(pairs, 10)
    assert groups(kept) == groups(pairs)
    assert len(kept) == 10 - len(groups(kept))


def groups(pairs: list[Pair]) -> set[frozenset[int]]:
    """What is connected, by merging sets."""
    sets = [{index} for index in range(10)]
    for pair in pairs:
        one = next(s for s in sets if pair.a in s)
        other = next(s for s in sets if pair.b in s)
        if one is not other:
            sets.remove(other)
            one |= other
    return {frozenset(s) for s in sets}
