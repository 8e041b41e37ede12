"""The loss is low for right answers, high for wrong ones, and silent where nothing is taught."""

from __future__ import annotations

import pytest
import torch

from edgefactory.training.networks.class_loss import classification_loss, divergence
from edgefactory.training.networks.decode import decode
from edgefactory.training.networks.heat_loss import agreement_loss, detection_loss
from edgefactory.training.networks.maps import STRIDE, Maps
from edgefactory.training.targets import ClassTargets, Targets

CELLS = (12, 16)
BOX = (18.0, 10.0, 30.0, 38.0)  # its middle is in cell (6, 6)


def targets(
    *boxes: tuple[float, ...], ignore: bool = False, weight: float = 1.0, height: float = 1.0
) -> Targets:
    count = len(boxes)
    return Targets(
        torch.tensor(boxes)[None],
        torch.zeros(1, count, dtype=torch.int64),
        torch.full((1, count), weight),
        torch.full((1, count), height),
        torch.full((1, count), ignore),
    )


def answer(*boxes: tuple[float, ...], sure: float = 8.0) -> Maps:
    """The maps of a network that sees exactly these boxes."""
    heat = torch.full((1, 1, *CELLS), -sure)
    reach = torch.zeros(1, 4, *CELLS)
    for x0, y0, x1, y1 in boxes:
        column, row = int((x0 + x1) / 2 / STRIDE), int((y0 + y1) / 2 / STRIDE)
        heat[0, 0, row, column] = sure
        for r in range(CELLS[0]):
            for c in range(CELLS[1]):
                x, y = (c + 0.5) * STRIDE, (r + 0.5) * STRIDE
                sides = torch.tensor([x - x0, y - y0, x1 - x, y1 - y]) / STRIDE
                if sides.min() > 0:
                    reach[0, :, r, c] = sides.log()
    return Maps(heat, reach)


def test_a_right_answer_costs_nearly_nothing() -> None:
    assert float(detection_loss(answer(BOX), targets(BOX))) < 0.02


def test_a_missed_box_a_false_alarm_and_a_wrong_size_cost() -> None:
    right = float(detection_loss(answer(BOX), targets(BOX)))
    missed = float(detection_loss(answer(), targets(BOX)))
    alarm = float(detection_loss(answer(BOX, (42.0, 4.0, 54.0, 24.0)), targets(BOX)))
    narrow = float(detection_loss(answer((21.0, 10.0, 27.0, 38.0)), targets(BOX)))
    assert missed > right + 1.0
    assert alarm > right + 1.0
    assert narrow > right + 0.5


def test_an_alarm_in_an_ignore_region_costs_nothing() -> None:
    alarm = answer((42.0, 4.0, 54.0, 24.0))
    inside = detection_loss(alarm, targets((40.0, 2.0, 56.0, 26.0), ignore=True))
    assert float(inside) < 0.02


def test_padding_teaches_nothing() -> None:
    maps = answer(BOX)
    padded = targets(BOX, (0.0, 0.0, 0.0, 0.0))
    padded.weights[0, 1] = 0.0
    assert torch.allclose(detection_loss(maps, padded), detection_loss(maps, targets(BOX)))


def test_a_picture_without_boxes_has_a_finite_loss_and_gradient() -> None:
    maps = Maps(
        torch.zeros(1, 1, *CELLS, requires_grad=True), torch.zeros(1, 4, *CELLS, requires_grad=True)
    )
    loss = detection_loss(maps, targets((0.0, 0.0, 0.0, 0.0), weight=0.0))
    loss.backward()  # type: ignore[no-untyped-call] # torch has no hint
    assert torch.isfinite(loss)
    assert maps.heat.grad is not None
    assert torch.isfinite(maps.heat.grad).all()


def test_descending_on_free_maps_finds_the_boxes() -> None:
    boxes = (BOX, (44.0, 4.0, 56.0, 30.0))
    heat = torch.full((1, 1, *CELLS), -2.0, requires_grad=True)
    reach = torch.ones(1, 4, *CELLS, requires_grad=True)
    optimizer = torch.optim.Adam([heat, reach], lr=0.2)
    for _ in range(150):
        optimizer.zero_grad()
        detection_loss(Maps(heat, reach), targets(*boxes)).backward()  # type: ignore[no-untyped-call] # torch has no hint
        optimizer.step()
    found, scores, _ = decode(Maps(heat.detach(), reach.detach()), 4)
    assert int((scores[0] > 0.5).sum()) == 2
    best = found[0, :2][found[0, :2, 0].argsort()]
    assert torch.allclose(best, torch.tensor(boxes), atol=2.0)


def test_classes_keep_their_own_peaks() -> None:
    both = targets(BOX, (44.0, 4.0, 56.0, 30.0))
    both.labels[0, 1] = 1
    first, second = answer(BOX).heat, answer((44.0, 4.0, 56.0, 30.0)).heat
    reach = answer(BOX, (44.0, 4.0, 56.0, 30.0)).reach
    right = Maps(torch.cat((first, second), 1), reach)
    swapped = Maps(torch.cat((second, first), 1), reach)
    assert float(detection_loss(right, both)) < 0.02
    assert float(detection_loss(swapped, both)) > 2.0
    _, scores, labels = decode(right, 3)
    order = scores[0] > 0.5
    assert sorted(labels[0][order].tolist()) == [0, 1]


def test_a_label_of_half_the_weight_pulls_half_as_much() -> None:
    """Against another label of full weight, since the loss is a mean over the weights."""
    other = (44.0, 4.0, 56.0, 30.0)

    def pull(weight: float) -> float:
        heat = torch.zeros(1, 1, *CELLS, requires_grad=True)
        both = targets(BOX, other)
        both.weights[0, 0] = weight
        loss = detection_loss(Maps(heat, torch.zeros(1, 4, *CELLS)), both)
        (loss * both.weights.sum()).backward()  # type: ignore[no-untyped-call] # torch has no hint
        assert heat.grad is not None
        return float(heat.grad[0, 0, 6, 6])

    assert pull(0.5) == pytest.approx(0.5 * pull(1.0), rel=1e-5)


def test_a_doubtful_peak_is_asked_for_as_high_as_its_score() -> None:
    heat = torch.full((1, 1, *CELLS), -6.0)
    heat.requires_grad_()
    optimizer = torch.optim.Adam([heat], lr=0.2)
    reach = answer(BOX).reach
    for _ in range(200):
        optimizer.zero_grad()
        detection_loss(Maps(heat, reach), targets(BOX, height=0.6)).backward()  # type: ignore[no-untyped-call] # torch has no hint
        optimizer.step()
    assert float(heat.detach().sigmoid().max()) == pytest.approx(0.6, abs=0.03)


def test_agreement_is_lowest_with_the_same_maps() -> None:
    same, other = answer(BOX), answer((44.0, 4.0, 56.0, 30.0))
    assert float(agreement_loss(same, same)) < 0.01
    assert float(agreement_loss(other, same)) > 1.0


def test_a_weightless_picture_does_not_pull_a_class() -> None:
    logits = torch.tensor([[4.0, -4.0], [4.0, -4.0]])
    known = ClassTargets(torch.tensor([0, 1]), torch.tensor([1.0, 0.0]))
    alone = ClassTargets(torch.tensor([0]), torch.tensor([1.0]))
    weighted = classification_loss(logits, known, 0.0, 1.0)
    assert torch.allclose(weighted, classification_loss(logits[:1], alone, 0.0, 1.0))
    assert float(weighted) == pytest.approx(0.2, abs=0.05)


def test_a_share_of_the_class_loss_follows_the_teacher() -> None:
    logits = torch.tensor([[4.0, -4.0]])
    taught = ClassTargets(torch.tensor([0]), torch.ones(1), torch.tensor([[0.1, 0.9]]))
    plain = float(classification_loss(logits, taught, 0.0, 2.0))
    half = float(classification_loss(logits, taught, 0.5, 2.0))
    whole = float(classification_loss(logits, taught, 1.0, 2.0))
    assert plain < half < whole
    assert half == pytest.approx((plain + whole) / 2)


def test_an_unsure_reference_asks_for_nothing() -> None:
    sure, unsure = torch.tensor([[5.0, -5.0]]), torch.tensor([[0.1, -0.1]])
    assert float(divergence(-sure, unsure)) == 0.0
    assert float(divergence(-sure, sure)) > 5.0
