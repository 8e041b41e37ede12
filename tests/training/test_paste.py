"""Pasting: people of a still scene join other pictures where they could stand."""

import torch

from edgefactory.training.data import Examples
from edgefactory.training.loss import ClassTargets, Targets
from edgefactory.training.paste import pasted, scene_of

HEIGHT, WIDTH = 60, 120


def still_scene(count: int = 8) -> Examples:
    """A grey scene through which one bright person walks; its box is exact."""
    pictures = torch.full((count, HEIGHT, WIDTH, 3), 90, dtype=torch.uint8)
    boxes = torch.zeros(count, 1, 4)
    for i in range(count):
        x = 14 * i
        pictures[i, 20:50, x : x + 12] = 200
        boxes[i, 0] = torch.tensor([x, 20.0, x + 12, 50.0])
    blank = torch.zeros(count, 1)
    targets = Targets(boxes, blank.long(), torch.ones(count, 1), blank.bool())
    return Examples(pictures, targets)


def join(seed: int, share: float = 1.0) -> tuple[torch.Tensor, Targets]:
    scene = scene_of(still_scene())
    assert scene is not None
    return pasted(scene, torch.arange(8), share, torch.Generator().manual_seed(seed))


def test_newcomers_bring_their_pixels_and_their_box() -> None:
    pictures, targets = join(0)
    joined = 0
    for picture, boxes, weights, ignored in zip(
        pictures, targets.boxes, targets.weights, targets.ignore, strict=True
    ):
        for slot in torch.nonzero((weights > 0) & ~ignored).flatten().tolist():
            x0, y0, x1, y1 = boxes[slot].int().tolist()
            joined += slot > 0
            assert (y0, y1) == (20, 50), "a person keeps its height in the picture"
            assert bool((picture[y0:y1, x0:x1] == 200).all())
    assert joined > 0


def test_nothing_but_people_changes() -> None:
    pictures, targets = join(1)
    for picture, boxes, weights in zip(pictures, targets.boxes, targets.weights, strict=True):
        rest = picture.clone()
        for slot in torch.nonzero(weights > 0).flatten().tolist():
            x0, y0, x1, y1 = boxes[slot].int().tolist()
            rest[y0:y1, x0:x1] = 90
        assert bool((rest == 90).all())


def test_the_examples_themselves_stay_as_they_were() -> None:
    learned = still_scene()
    scene = scene_of(learned)
    assert scene is not None
    pasted(scene, torch.arange(8), 1.0, torch.Generator().manual_seed(0))
    assert torch.equal(learned.pictures, still_scene().pictures)


def test_whoever_is_covered_is_no_longer_asked_for() -> None:
    covered = 0
    for seed in range(20):
        _, targets = join(seed)
        covered += int((targets.ignore & (targets.weights > 0)).sum())
    assert covered > 0


def test_the_same_seed_gives_the_same_pictures_and_no_share_changes_none() -> None:
    assert torch.equal(join(3)[0], join(3)[0])
    assert not torch.equal(join(3)[0], join(4)[0])
    assert torch.equal(join(3, share=0.0)[0], still_scene().pictures)


def test_a_moving_camera_and_a_classifier_have_no_scene() -> None:
    learned = still_scene()
    noise = torch.randint(0, 256, learned.pictures.shape, dtype=torch.uint8)
    assert scene_of(Examples(noise, learned.targets)) is None
    classes = ClassTargets(torch.zeros(8, dtype=torch.int64), torch.ones(8))
    assert scene_of(Examples(learned.pictures, classes)) is None
