"""What a run sees depends on seed, epoch and picture, never on who prepares it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest
import torch

from edgefactory.training import Augment, Recipe
from edgefactory.training.augment import GREY
from edgefactory.training.examples import Examples
from edgefactory.training.feeding import Batch, Feeder, paint
from edgefactory.training.targets import ClassTargets, Marks, Targets

COUNT = 12
LIVELY = Augment(flip=0.5, scale=0.3, shift=0.2, brightness=0.3, colour=0.2, blur=0.5, mask=0.5)
RECIPE = Recipe(resolution=(32, 16), augment=LIVELY, seed=4)


def examples(*, boxes: bool = True) -> Examples:
    generator = np.random.default_rng(0)
    pictures = generator.integers(0, 256, (COUNT, 16, 32, 3), dtype=np.uint8)
    if not boxes:
        return Examples(pictures, ClassTargets(torch.arange(COUNT), torch.ones(COUNT)))
    return Examples(pictures, tuple(_marks(1 + n % 3) for n in range(COUNT)))


def _marks(count: int) -> Marks:
    lefts = 4.0 + 8.0 * np.arange(count, dtype=np.float32)
    ones = np.ones(count, np.float32)
    corners = np.stack((lefts, 4 * ones, lefts + 6, 12 * ones), axis=1)
    return Marks(corners, np.arange(count), ones, ones, np.arange(count) == 2)


def fed(
    parts: list[list[int]],
    recipe: Recipe = RECIPE,
    *,
    threads: int = 1,
    paint: bool = False,
    boxes: bool = True,
    epoch: int = 3,
) -> list[Batch]:
    made = Feeder(examples(boxes=boxes), recipe, threads=threads, paint_ignored=paint)
    with made as feeder:
        return list(feeder.batches((epoch, np.array(part)) for part in parts))


def same(a: Batch, b: Batch) -> bool:
    if not isinstance(a.targets, Targets) or not isinstance(b.targets, Targets):
        return False
    return (
        torch.equal(a.pictures, b.pictures)
        and torch.equal(a.targets.boxes, b.targets.boxes)
        and torch.equal(a.targets.ignore, b.targets.ignore)
        and a.noise_seed == b.noise_seed
    )


PARTS = [[5, 2, 9, 0], [1, 11, 7, 3], [4, 6, 8, 10]]


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_threads_and_working_ahead_change_nothing(threads: int) -> None:
    with Feeder(examples(), RECIPE, threads=1, paint_ignored=False) as feeder:
        plain = [feeder.batch(3, np.array(part)) for part in PARTS]
    made = fed(PARTS, threads=threads)
    assert len(made) == len(PARTS)
    assert all(same(a, b) for a, b in zip(plain, made, strict=True))


def test_the_next_batch_is_begun_before_it_is_asked_for() -> None:
    asked: list[int] = []

    def parts() -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
        for number, part in enumerate(PARTS):
            asked.append(number)
            yield 0, np.array(part)

    with Feeder(examples(), RECIPE, threads=1, paint_ignored=False) as feeder:
        next(feeder.batches(parts()))
    assert asked == [0, 1]


def test_seed_epoch_and_picture_decide() -> None:
    (first,) = fed([[5, 2]])
    assert torch.equal(fed([[2, 5]])[0].pictures, first.pictures.flip(0))
    assert not torch.equal(fed([[5, 2]], epoch=4)[0].pictures, first.pictures)
    other = Recipe(resolution=(32, 16), augment=LIVELY, seed=5)
    assert not torch.equal(fed([[5, 2]], other)[0].pictures, first.pictures)


@pytest.mark.parametrize("world", [2, 3])
def test_the_shares_of_several_processes_are_the_pictures_of_one(world: int) -> None:
    (whole,) = fed([PARTS[0]])
    for rank in range(world):
        (share,) = fed([PARTS[0][rank::world]])
        assert torch.equal(share.pictures, whole.pictures[rank::world])


def test_class_targets_go_with_their_pictures() -> None:
    for batch, part in zip(fed(PARTS, boxes=False), PARTS, strict=True):
        assert isinstance(batch.targets, ClassTargets)
        assert batch.targets.labels.tolist() == part


@pytest.mark.parametrize("boxes", [True, False])
def test_pixels_are_lit_and_plain_ones_are_not(boxes: bool) -> None:
    dim = Augment(scale=0, shift=0, brightness=0.5, offset=30, noise=5)
    recipe = Recipe(resolution=(32, 16), augment=dim)
    made = examples(boxes=boxes)
    with Feeder(made, recipe, threads=1, paint_ignored=False, keep_unlit=True) as feeder:
        batch = feeder.batch(3, np.array([0, 1]))
    device, kind = torch.device("cpu"), torch.float32
    pictures = torch.from_numpy(made.pictures[:2]).permute(0, 3, 1, 2).float()
    assert torch.equal(batch.plain(device, kind), pictures)
    assert not torch.equal(batch.pixels(device, kind, 0.0), pictures)
    noisy = batch.pixels(device, kind, dim.noise)
    assert not torch.equal(noisy, batch.pixels(device, kind, 0.0))
    assert torch.equal(noisy, batch.pixels(device, kind, dim.noise))
    assert float(noisy.min()) >= 0
    assert float(noisy.max()) <= 255


def test_half_as_many_bits_hold_the_same_grey_levels() -> None:
    (batch,) = fed([[0, 1]])
    device = torch.device("cpu")
    exact, half = (batch.pixels(device, kind, 0.0) for kind in (torch.float32, torch.bfloat16))
    assert torch.equal(half.float(), exact)


def test_an_error_in_a_thread_reaches_the_caller() -> None:
    broken = examples()
    with Feeder(broken, RECIPE, threads=2, paint_ignored=False) as feeder:
        batches = feeder.batches(iter([(0, np.array([0, COUNT]))]))
        with pytest.raises(IndexError):
            next(batches)


def test_regions_that_teach_nothing_are_painted_for_losses_that_cannot_leave_them_out() -> None:
    still = Recipe(resolution=(32, 16), augment=Augment(scale=0, shift=0, brightness=0, offset=0))
    (painted_one,) = fed([[2]], still, paint=True)
    (plain,) = fed([[2]], still)
    assert isinstance(painted_one.targets, Targets)
    assert (painted_one.pictures[0, 4:12, 20:26] == GREY).all()
    assert torch.equal(painted_one.pictures[0, :, :20], plain.pictures[0, :, :20])


@pytest.mark.parametrize(
    ("box", "grey"),
    [
        ((-4.0, -2.0, 3.0, 2.0), (0, 0, 3, 2)),
        ((28.5, 12.5, 40.0, 20.0), (28, 12, 32, 16)),
        ((-9.0, -9.0, -2.0, -2.0), (0, 0, 0, 0)),
        ((40.0, 2.0, 50.0, 6.0), (0, 0, 0, 0)),
    ],
)
def test_what_reaches_beyond_the_picture_is_painted_within_it(
    box: tuple[float, float, float, float], grey: tuple[int, int, int, int]
) -> None:
    pictures = np.zeros((2, 16, 32, 3), np.uint8)
    ones = np.ones(1, np.float32)
    marks = Marks(np.array([box], np.float32), np.zeros(1, np.int64), ones, ones, ones > 0)
    paint(pictures, marks, np.array([1]))
    wanted = np.zeros((16, 32), np.bool_)
    wanted[grey[1] : grey[3], grey[0] : grey[2]] = True
    assert ((pictures[1] == GREY).all(axis=2) == wanted).all()
    assert not pictures[0].any()
