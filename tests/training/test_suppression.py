"""Overlapping boxes are suppressed inside of the graph as torchvision does it outside."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torchvision.ops import batched_nms, box_iou

from edgefactory.training.networks.anchored import _kept

pytestmark = pytest.mark.component

MOST = 0.5
SEEDS = st.integers(0, 2**31 - 1)


def drawn(seed: int, count: int, classes: int, spread: float) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes, best first, with scores and labels; a small spread makes many overlaps."""
    chance = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=chance) * spread
    size = 10 + torch.rand(count, 2, generator=chance) * 20
    boxes = torch.cat((corner, corner + size), dim=1)
    scores = torch.rand(count, generator=chance).sort(descending=True).values
    return boxes, scores, torch.randint(0, classes, (count,), generator=chance)


def ours(boxes: Tensor, labels: Tensor) -> set[int]:
    return set(torch.nonzero(_kept(boxes[None], labels[None], MOST)[0])[:, 0].tolist())


def theirs(boxes: Tensor, scores: Tensor, labels: Tensor) -> set[int]:
    return set(batched_nms(boxes, scores, labels, MOST).tolist())


def chained(boxes: Tensor, labels: Tensor) -> bool:
    """Whether a box that is suppressed overlaps a worse one of its class too."""
    better = torch.ones(len(boxes), len(boxes)).triu(1).bool()
    over = (box_iou(boxes, boxes) > MOST) & (labels[:, None] == labels[None, :]) & better
    suppressed = over.any(dim=0)
    return bool(over[suppressed].any())


@given(SEEDS, st.integers(1, 40), st.integers(1, 3), st.sampled_from([30.0, 80.0, 200.0]))
def test_what_it_keeps_torchvision_keeps_too(
    seed: int, count: int, classes: int, spread: float
) -> None:
    boxes, scores, labels = drawn(seed, count, classes, spread)
    assert ours(boxes, labels) <= theirs(boxes, scores, labels)


@given(SEEDS, st.integers(1, 40), st.integers(1, 3), st.sampled_from([60.0, 120.0, 200.0]))
def test_without_chains_of_overlaps_both_keep_the_same(
    seed: int, count: int, classes: int, spread: float
) -> None:
    boxes, scores, labels = drawn(seed, count, classes, spread)
    if not chained(boxes, labels):
        assert ours(boxes, labels) == theirs(boxes, scores, labels)


def test_in_a_chain_it_suppresses_more() -> None:
    """The second falls to the first; the third overlaps the second alone and falls too."""
    boxes = torch.tensor([[0.0, 0, 10, 10], [3, 0, 13, 10], [6, 0, 16, 10]])
    labels = torch.zeros(3, dtype=torch.int64)
    assert chained(boxes, labels)
    assert ours(boxes, labels) == {0}
    assert theirs(boxes, torch.tensor([0.9, 0.8, 0.7]), labels) == {0, 2}


def test_other_classes_and_boxes_without_area_are_left_alone() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10], [5, 5, 5, 5], [5, 5, 5, 5]])
    assert ours(boxes, torch.tensor([0, 1, 0, 0])) == {0, 1, 2, 3}


@given(SEEDS)
def test_pictures_of_a_batch_do_not_meet(seed: int) -> None:
    one, _, first = drawn(seed, 12, 2, 30.0)
    two, _, second = drawn(seed + 1, 12, 2, 30.0)
    both = _kept(torch.stack((one, two)), torch.stack((first, second)), MOST)
    assert both[0].tolist() == _kept(one[None], first[None], MOST)[0].tolist()
    assert both[1].tolist() == _kept(two[None], second[None], MOST)[0].tolist()
