"""Pasting: people of a still scene join other pictures where they could stand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from edgefactory.training.examples import Examples
from edgefactory.training.paste import paste, scene_of
from edgefactory.training.targets import ClassTargets, Marks

HEIGHT, WIDTH, COUNT = 60, 120, 8


def still_scene() -> Examples:
    """A grey scene through which one bright person walks; its box is exact."""
    pictures = np.full((COUNT, HEIGHT, WIDTH, 3), 90, np.uint8)
    marks = []
    one = np.ones(1, np.float32)
    for i in range(COUNT):
        x = 14 * i
        pictures[i, 20:50, x : x + 12] = 200
        box = np.array([[x, 20, x + 12, 50]], np.float32)
        marks.append(Marks(box, np.zeros(1, np.int64), one, one, np.zeros(1, np.bool_)))
    return Examples(pictures, tuple(marks))


def join(seed: int) -> list[tuple[npt.NDArray[np.uint8], Marks]]:
    scene = scene_of(still_scene())
    assert scene is not None
    made: list[tuple[npt.NDArray[np.uint8], Marks]] = []
    for number in range(COUNT):
        out = np.empty((HEIGHT, WIDTH, 3), np.uint8)
        marks = paste(scene, number, np.random.default_rng((seed, number)), out)
        made.append((out, marks))
    return made


def test_newcomers_bring_their_pixels_and_their_box() -> None:
    joined = 0
    for picture, marks in join(0):
        for slot in np.flatnonzero(~marks.ignore).tolist():
            x0, y0, x1, y1 = marks.boxes[slot].astype(int).tolist()
            joined += slot > 0
            assert (y0, y1) == (20, 50), "a person keeps its height in the picture"
            assert (picture[y0:y1, x0:x1] == 200).all()
    assert joined > 0


def test_nothing_but_people_changes() -> None:
    for picture, marks in join(1):
        rest = picture.copy()
        for x0, y0, x1, y1 in marks.boxes.astype(int).tolist():
            rest[y0:y1, x0:x1] = 90
        assert (rest == 90).all()


def test_the_examples_themselves_stay_as_they_were() -> None:
    learned = still_scene()
    scene = scene_of(learned)
    assert scene is not None
    paste(scene, 0, np.random.default_rng(0), np.empty_like(learned.pictures[0]))
    assert (learned.pictures == still_scene().pictures).all()


def test_whoever_is_covered_is_no_longer_asked_for() -> None:
    assert any(marks.ignore.any() for seed in range(20) for _, marks in join(seed))


def test_the_same_seed_gives_the_same_pictures() -> None:
    first, again, other = (np.stack([p for p, _ in join(seed)]) for seed in (3, 3, 4))
    assert (first == again).all()
    assert not (first == other).all()


def test_a_moving_camera_and_a_classifier_have_no_scene() -> None:
    learned = still_scene()
    noise = np.random.default_rng(0).integers(0, 256, learned.pictures.shape, np.uint8)
    assert scene_of(Examples(noise, learned.targets)) is None
    classes = ClassTargets(torch.zeros(COUNT, dtype=torch.int64), torch.ones(COUNT))
    assert scene_of(Examples(learned.pictures, classes)) is None
