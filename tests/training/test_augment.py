"""A changed picture and its boxes stay together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torchvision.transforms.v2.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torchvision import tv_tensors

from edgefactory.training import Augment
from edgefactory.training.augment import (
    DICE,
    Change,
    Window,
    _seen,
    change,
    draw,
    light,
    moved,
    noisy,
    view,
    views,
)
from edgefactory.training.targets import Marks, joined

HEIGHT, WIDTH = 60, 80
STILL = Augment(scale=0.0, shift=0.0, brightness=0.0, offset=0.0)
EVERYTHING = Augment(
    flip=0.5, scale=0.2, shift=0.1, brightness=0.2, offset=10.0, colour=0.2, blur=0.5, mask=0.5
)

UInt8 = npt.NDArray[np.uint8]


def scene(*boxes: tuple[int, int, int, int]) -> tuple[UInt8, Marks]:
    """One dark picture with white boxes, and where they are."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for x0, y0, x1, y1 in boxes:
        picture[y0:y1, x0:x1] = 255
    count = len(boxes)
    ones = np.ones(count, np.float32)
    return picture, Marks(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.zeros(count, np.int64),
        ones,
        ones,
        np.zeros(count, np.bool_),
    )


def bright_extent(picture: UInt8) -> npt.NDArray[np.float32]:
    rows, columns = np.nonzero(picture.mean(axis=2) > 127)
    ends = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    return np.array(ends, np.float32)


def dice(seed: int) -> list[float]:
    found: list[float] = np.random.default_rng(seed).random(DICE).tolist()
    return found


def by(window: Window) -> Change:
    return Change(window, None, None, 1.0, None, 1.0, 0.0)


def moved_by(marks: Marks, window: Window) -> Marks:
    return moved(marks, np.zeros(len(marks), np.int64), [by(window)], (WIDTH, HEIGHT))


def seen(picture: UInt8, window: Window) -> UInt8:
    out = np.empty_like(picture)
    view(picture, window, out)
    return out


WINDOWS = st.builds(
    Window,
    st.integers(-12, 12),
    st.integers(-10, 10),
    st.integers(60, 100),
    st.integers(45, 75),
    st.booleans(),
)


@given(WINDOWS)
def test_boxes_follow_zoom_shift_and_mirror(window: Window) -> None:
    picture, marks = scene((30, 20, 50, 40))
    box = moved_by(marks, window).boxes[0]
    np.testing.assert_allclose(box, bright_extent(seen(picture, window)), atol=1.01)


@given(WINDOWS)
def test_boxes_move_as_torchvision_moves_them(window: Window) -> None:
    """Crop, resize, pad and flip of its transforms (v2), a picture at a time."""
    _, marks = scene((30, 20, 50, 40), (0, 0, 20, 20), (70, 40, 80, 60))
    part, place = _seen(window, (WIDTH, HEIGHT))
    boxes = tv_tensors.BoundingBoxes(
        torch.from_numpy(marks.boxes),
        format=tv_tensors.BoundingBoxFormat.XYXY,
        canvas_size=(HEIGHT, WIDTH),
        clamping_mode=None,
    )
    boxes = F.crop(boxes, part[1], part[0], part[3] - part[1], part[2] - part[0])
    boxes = F.resize(boxes, [place[3] - place[1], place[2] - place[0]])
    boxes = F.pad(boxes, [place[0], place[1], WIDTH - place[2], HEIGHT - place[3]])
    boxes = F.horizontal_flip(boxes) if window.mirrored else boxes
    theirs = F.clamp_bounding_boxes(boxes, clamping_mode="hard").numpy()
    np.testing.assert_allclose(moved_by(marks, window).boxes, theirs, atol=1e-3)


@given(WINDOWS, st.integers(0, 2**32 - 1))
def test_pixels_move_as_torchvision_moves_them(window: Window, seed: int) -> None:
    """Crop, resize and flip of its transforms (v2), up to rounding."""
    picture = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    part, place = _seen(window, (WIDTH, HEIGHT))
    size = [place[3] - place[1], place[2] - place[0]]
    image = torch.from_numpy(picture).permute(2, 0, 1)
    image = F.crop(image, part[1], part[0], part[3] - part[1], part[2] - part[0])
    image = F.resize(image, size, antialias=False)
    left = place[0]
    if window.mirrored:
        image, left = F.horizontal_flip(image), WIDTH - place[2]
    theirs = image.permute(1, 2, 0).numpy().astype(int)
    ours = seen(picture, window)[place[1] : place[3], left : left + size[1]]
    assert np.abs(theirs - ours).max() <= 2


def test_a_window_of_the_whole_picture_changes_nothing() -> None:
    picture, marks = scene((20, 15, 40, 45))
    whole = Window(0, 0, WIDTH, HEIGHT, mirrored=False)
    assert (seen(picture, whole) == picture).all()
    assert (moved_by(marks, whole).boxes == marks.boxes).all()


def test_each_picture_of_a_batch_is_moved_by_its_own_change() -> None:
    _, first = scene((20, 15, 40, 45))
    _, second = scene((20, 15, 40, 45), (1, 2, 3, 4))
    marks, of = joined([first, second])
    changes = [
        by(Window(10, 0, WIDTH, HEIGHT, mirrored=False)),
        by(Window(0, 5, WIDTH, HEIGHT, False)),
    ]
    boxes = moved(marks, of, changes, (WIDTH, HEIGHT)).boxes.tolist()
    assert boxes == [[10, 15, 30, 45], [20, 10, 40, 40], [1, 0, 3, 0]]


@given(st.lists(WINDOWS, min_size=1, max_size=4))
def test_a_batch_is_moved_at_once_as_its_pictures_one_by_one(windows: list[Window]) -> None:
    """Up to half a pixel at a border, on a picture without sharp edges."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    smooth = (128 + 60 * np.sin(x / 12) + 60 * np.cos(y / 9)).astype(np.uint8)
    picture = np.repeat(smooth[:, :, None], 3, axis=2)
    together = views(np.stack([picture] * len(windows)), [by(window) for window in windows])
    for window, one in zip(windows, together, strict=True):
        away = np.abs(one.astype(int) - seen(picture, window))
        assert away.mean() < 3


def test_the_border_is_continued() -> None:
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[:, -1] = 200
    shifted = seen(picture, Window(10, 0, WIDTH, HEIGHT, mirrored=False))
    assert (shifted[:, -11:] == 200).all()
    assert (shifted[:, :-11] == 0).all()


def test_a_box_mostly_outside_is_ignored_and_one_wholly_outside_has_no_weight() -> None:
    _, marks = scene((0, 0, 20, 20), (0, 30, 8, 40), (40, 10, 60, 30))
    away = moved_by(marks, Window(12, 0, WIDTH, HEIGHT, mirrored=False))
    assert away.ignore.tolist() == [True, True, False]
    assert away.weights.tolist() == [1.0, 0.0, 1.0]
    assert away.boxes[[0, 2]].tolist() == [[0.0, 0.0, 8.0, 20.0], [28.0, 10.0, 48.0, 30.0]]


def test_what_is_mostly_hidden_is_not_asked_for() -> None:
    picture, marks = scene((10, 10, 30, 30), (50, 10, 70, 30))
    hide = Change(None, (8, 8, 26, 40), None, 1.0, None, 1.0, 0.0)
    hidden = moved(marks, np.zeros(2, np.int64), [hide], (WIDTH, HEIGHT))
    assert hidden.ignore.tolist() == [True, False]
    out = np.empty_like(picture)
    change(picture, hide, out)
    assert (out[8:40, 8:26] == 114).all()


def test_changes_depend_on_the_generator_alone() -> None:
    picture, _ = scene((20, 15, 40, 45))

    def made(seed: int) -> UInt8:
        wanted = draw(EVERYTHING, (WIDTH, HEIGHT), dice(seed), sequence=False)
        out = np.empty_like(picture)
        change(picture, wanted, out)
        return out

    assert (made(3) == made(3)).all()
    assert not all((made(3) == made(seed)).all() for seed in range(4, 9))


@pytest.mark.parametrize("seed", range(20))
def test_a_sequence_is_moved_in_time_alone(seed: int) -> None:
    rows = np.repeat(np.arange(HEIGHT, dtype=np.uint8)[:, None], WIDTH, axis=1)
    picture = np.repeat(rows[:, :, None], 3, axis=2)
    how = Augment(scale=0.3, shift=0.2)
    wanted = draw(how, (WIDTH, HEIGHT), dice(seed), sequence=True)
    out = np.empty_like(picture)
    change(picture, wanted, out)
    assert (out == picture).all()


def test_without_changes_the_bytes_arrive_as_they_are() -> None:
    picture, _ = scene((20, 15, 40, 45))
    wanted = draw(STILL, (WIDTH, HEIGHT), dice(0), sequence=False)
    out = np.empty_like(picture)
    change(picture, wanted, out)
    assert (out == picture).all()
    assert wanted.window is None
    assert (wanted.gain, wanted.offset) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("gain", "offset", "wanted"),
    [(1.0, -20.0, 80), (3.0, 0.0, 255), (1.1, 0.25, 110), (0.5, -70.0, 0), (1.0, 0.0, 100)],
)
def test_light_stays_between_black_and_white(gain: float, offset: float, wanted: int) -> None:
    out = np.full((8, 8, 3), 100, np.uint8)
    light(Change(None, None, None, 1.0, None, gain, offset), out)
    assert (out == wanted).all()


def test_noise_is_seeded_and_stays_between_black_and_white() -> None:
    pixels = torch.full((2, 3, 8, 8), 250.0)
    noise = [noisy(pixels.clone(), 5.0, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(noise[0], noise[1])
    assert not torch.equal(noise[0], noise[2])
    assert float(noise[0].max()) == 255.0
