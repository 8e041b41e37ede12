"""A changed picture and its boxes stay together."""

from __future__ import annotations

import torch

from edgefactory.training import Augment
from edgefactory.training.augment import Window, augmented, moved, view
from edgefactory.training.loss import ClassTargets, Targets

HEIGHT, WIDTH = 60, 80
STILL = Augment(scale=0.0, shift=0.0, brightness=0.0, offset=0.0)


def scene(*boxes: tuple[int, int, int, int]) -> tuple[torch.Tensor, Targets]:
    """One dark picture with white boxes, and where they are."""
    picture = torch.zeros(HEIGHT, WIDTH, 3, dtype=torch.uint8)
    for x0, y0, x1, y1 in boxes:
        picture[y0:y1, x0:x1] = 255
    count = len(boxes)
    return picture, Targets(
        torch.tensor(boxes, dtype=torch.float32)[None],
        torch.zeros(1, count, dtype=torch.int64),
        torch.ones(1, count),
        torch.zeros(1, count, dtype=torch.bool),
    )


def bright_extent(picture: torch.Tensor) -> torch.Tensor:
    rows, columns = torch.nonzero(picture.float().mean(-1) > 127, as_tuple=True)
    ends = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    return torch.stack(ends).float()


def test_boxes_follow_zoom_shift_and_mirror() -> None:
    picture, targets = scene((20, 15, 40, 45))
    for window in (
        Window(0, 0, WIDTH, HEIGHT, mirrored=True),
        Window(-8, -6, 96, 72, mirrored=False),
        Window(5, 7, 60, 45, mirrored=True),
        Window(-10, 4, WIDTH, HEIGHT, mirrored=False),
    ):
        changed = view(picture, window)
        assert changed.shape == picture.shape
        box = moved(targets, [window], (WIDTH, HEIGHT)).boxes[0, 0]
        assert torch.allclose(box, bright_extent(changed), atol=1.0), window


def test_a_window_of_the_whole_picture_changes_nothing() -> None:
    picture, targets = scene((20, 15, 40, 45))
    whole = Window(0, 0, WIDTH, HEIGHT, mirrored=False)
    assert torch.equal(view(picture, whole), picture)
    assert torch.equal(moved(targets, [whole], (WIDTH, HEIGHT)).boxes, targets.boxes)


def test_a_box_mostly_outside_is_ignored_and_one_wholly_outside_has_no_weight() -> None:
    _, targets = scene((0, 0, 20, 20), (0, 30, 8, 40), (40, 10, 60, 30))
    away = moved(targets, [Window(12, 0, WIDTH, HEIGHT, mirrored=False)], (WIDTH, HEIGHT))
    assert away.ignore[0].tolist() == [True, True, False]
    assert away.weights[0].tolist() == [1.0, 0.0, 1.0]
    assert away.boxes[0, 0].tolist() == [0.0, 0.0, 8.0, 20.0]


def test_changes_depend_on_the_generator_alone() -> None:
    picture, targets = scene((20, 15, 40, 45))
    pictures = picture[None]
    how = Augment(flip=0.5, scale=0.2, shift=0.1, brightness=0.2, offset=10.0, noise=3.0)
    once = augmented(pictures, targets, how, torch.Generator().manual_seed(3))[0]
    again = augmented(pictures, targets, how, torch.Generator().manual_seed(3))[0]
    other = augmented(pictures, targets, how, torch.Generator().manual_seed(4))[0]
    assert torch.equal(once, again)
    assert not torch.equal(once, other)
    assert float(once.min()) >= 0.0
    assert float(once.max()) <= 255.0


def test_without_changes_the_bytes_arrive_as_they_are() -> None:
    pictures = torch.randint(0, 256, (2, 16, 16, 3), dtype=torch.uint8)
    targets = ClassTargets(torch.zeros(2, dtype=torch.int64), torch.ones(2))
    pixels, same = augmented(pictures, targets, STILL, torch.Generator())
    assert torch.equal(pixels.byte(), pictures.permute(0, 3, 1, 2))
    assert same is targets
