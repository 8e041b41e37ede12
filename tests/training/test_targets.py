"""The marks of a batch are padded by what teaches nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgefactory.training.targets import NO_MARKS, ClassTargets, Marks, joined, padded


def marks(count: int, start: float = 0.0) -> Marks:
    corners = start + np.arange(4 * count, dtype=np.float32).reshape(count, 4)
    return Marks(
        corners,
        np.arange(count),
        np.full(count, 0.5, np.float32),
        np.full(count, 0.7, np.float32),
        np.arange(count) % 2 == 1,
    )


def test_each_picture_keeps_its_own_and_padding_weighs_nothing() -> None:
    targets = padded(*joined([marks(1), NO_MARKS, marks(3, 100.0)]), 3)
    assert targets.boxes.shape == (3, 3, 4)
    assert targets.boxes[2, 1].tolist() == [104.0, 105.0, 106.0, 107.0]
    assert targets.weights.tolist() == [[0.5, 0, 0], [0, 0, 0], [0.5, 0.5, 0.5]]
    assert targets.labels[2].tolist() == [0, 1, 2]
    assert targets.ignore.tolist() == [[False] * 3, [False] * 3, [False, True, False]]
    assert targets.heights[2].tolist() == pytest.approx([0.7] * 3)


@pytest.mark.parametrize("pictures", [[NO_MARKS], [NO_MARKS, NO_MARKS]])
def test_a_batch_without_boxes_has_one_empty_place(pictures: list[Marks]) -> None:
    targets = padded(*joined(pictures), len(pictures))
    assert targets.boxes.shape == (len(pictures), 1, 4)
    assert not targets.weights.any()
    assert not targets.ignore.any()


def test_marks_are_joined_and_chosen() -> None:
    both, of = joined([marks(2), NO_MARKS, marks(1, 50.0)])
    assert of.tolist() == [0, 0, 2]
    assert both.at(both.ignore).boxes.tolist() == [[4.0, 5.0, 6.0, 7.0]]
    assert both.at(np.array([2])).boxes.tolist() == [[50.0, 51.0, 52.0, 53.0]]


def test_class_targets_are_chosen_with_what_the_teacher_says() -> None:
    soft = torch.eye(3)
    targets = ClassTargets(torch.arange(3), torch.ones(3), soft).at(torch.tensor([2, 0]))
    assert targets.labels.tolist() == [2, 0]
    assert targets.soft is not None
    assert torch.equal(targets.soft, soft[[2, 0]])
    assert ClassTargets(torch.arange(3), torch.ones(3)).at(torch.tensor([1])).soft is None
