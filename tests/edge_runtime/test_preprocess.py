"""The one preprocessing: sizes, placement and grey levels."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge_runtime.contract import InputSpec, placement, preprocess
from edge_runtime.errors import InputError

sizes = st.integers(1, 300)
specs = st.builds(
    InputSpec,
    width=st.integers(1, 96),
    height=st.integers(1, 96),
    fit=st.sampled_from(["stretch", "letterbox"]),
    resize=st.sampled_from(["pillow-box", "pillow-bilinear"]),
)


@settings(max_examples=60, deadline=None)
@example(241, 246, InputSpec(1, 1), 143)  # a block of more pixels than `reduce` is exact for
@given(sizes, sizes, specs, st.integers(0, 255))
def test_the_result_has_the_stated_size_and_flat_pictures_stay_flat(
    width: int, height: int, spec: InputSpec, level: int
) -> None:
    result, place = preprocess(np.full((height, width, 3), level, np.uint8), spec)
    assert result.shape == (spec.height, spec.width, 3)
    assert result.dtype == np.uint8
    left, top = int(place.offset_x), int(place.offset_y)
    inner_w, inner_h = round(width * place.scale_x), round(height * place.scale_y)
    inner = result[top : top + inner_h, left : left + inner_w]
    assert (inner == level).all()
    outside = result.size - inner.size
    assert (result != spec.pad).sum() <= inner.size
    assert spec.fit == "letterbox" or outside == 0


@settings(max_examples=60, deadline=None)
@given(sizes, sizes, specs)
def test_boxes_return_to_where_they_were(width: int, height: int, spec: InputSpec) -> None:
    place = placement(width, height, spec)
    box = np.array([[0.0, 0.0, width, height]], np.float32)
    there = place.to_input(box)
    assert there.min() >= -1e-3
    assert there[0, 2] <= spec.width + 1e-2
    assert there[0, 3] <= spec.height + 1e-2
    assert np.allclose(place.to_picture(there), box, atol=1e-2 * max(width, height))


def test_a_picture_of_the_right_size_is_left_alone() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    assert preprocess(picture, InputSpec(64, 48))[0] is picture


def test_box_resize_halves_by_means_of_four() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    result, _ = preprocess(picture, InputSpec(4, 4))
    means = picture.reshape(4, 2, 4, 2, 3).astype(np.float64).mean(axis=(1, 3))
    assert np.abs(result - means).max() <= 1  # Pillow rounds after each axis


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_what_is_no_picture_is_refused(
    wrong: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
) -> None:
    with pytest.raises(InputError, match="expected a picture"):
        preprocess(wrong, InputSpec(4, 4))
