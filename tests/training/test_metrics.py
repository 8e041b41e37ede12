"""AP50 is what others say it is, ignores what is to be ignored, and its bootstrap is paired."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from edgefactory.datasets.errors import InputError
from edgefactory.training import (
    Detections,
    Truth,
    accuracy,
    accuracy_bootstrap,
    accuracy_difference,
    ap50,
    ap50_bootstrap,
    ap50_difference,
)

Floats = npt.NDArray[np.float64]
RECALLS = np.linspace(0, 1, 101)
HALF = 51 / 101  # of the recalls are reached by finding one of two


def truth(*boxes: tuple[float, ...], ignore: tuple[bool, ...] | None = None) -> Truth:
    flags = np.array(ignore or [False] * len(boxes), dtype=np.bool_)
    corners = np.array(boxes, dtype=np.float64).reshape(-1, 4)
    return Truth(corners, np.zeros(len(boxes), np.int64), flags)


def found(*rows: tuple[float, ...]) -> Detections:
    table = np.array(rows, dtype=np.float64).reshape(-1, 5)
    return Detections(table[:, :4], table[:, 4], np.zeros(len(rows), np.int64))


def random_case(seed: int, pictures: int = 12) -> tuple[list[Detections], list[Truth]]:
    """Truth boxes, most of them found with some error, and false alarms among them."""
    generator = np.random.default_rng(seed)
    predictions, truths = [], []
    for _ in range(pictures):
        corner = generator.uniform(0, 80, (generator.integers(1, 6), 2))
        boxes = np.concatenate([corner, corner + generator.uniform(8, 30, corner.shape)], axis=1)
        seen = boxes[generator.random(len(boxes)) < 0.8]
        seen = seen + generator.normal(0, 2, seen.shape)
        alarms = generator.uniform(0, 60, (generator.integers(0, 4), 2))
        made = np.concatenate([seen, np.concatenate([alarms, alarms + 20], axis=1)])
        labels = np.zeros(len(made), np.int64)
        predictions.append(Detections(made, generator.random(len(made)), labels))
        truths.append(truth(*map(tuple, boxes)))
    return predictions, truths


def plain_iou(a: Floats, b: Floats) -> float:
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    inter = max(wide, 0.0) * max(high, 0.0)
    both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return float(inter / (both - inter))


def plain_ap(predictions: list[Detections], truths: list[Truth]) -> float:
    """AP by COCO's definition: at 101 recalls, the best precision from there on."""
    rows = sorted(
        (-float(s), i, k) for i, p in enumerate(predictions) for k, s in enumerate(p.scores)
    )
    total = sum(len(t.boxes) for t in truths)
    taken: set[tuple[int, int]] = set()
    points: list[tuple[float, float]] = []
    for seen, (_, i, k) in enumerate(rows, start=1):
        free = [j for j in range(len(truths[i].boxes)) if (i, j) not in taken]
        overlaps = {j: plain_iou(predictions[i].boxes[k], truths[i].boxes[j]) for j in free}
        best = max(overlaps, key=lambda j: overlaps[j], default=None)
        if best is not None and overlaps[best] >= 0.5:
            taken.add((i, best))
        points.append((len(taken) / total, len(taken) / seen))
    best_from = [max((p for r, p in points if r >= at), default=0.0) for at in RECALLS]
    return float(np.mean(best_from))


@pytest.mark.parametrize("seed", range(5))
def test_ap50_equals_the_definition(seed: int) -> None:
    predictions, truths = random_case(seed)
    assert ap50(predictions, truths) == pytest.approx(plain_ap(predictions, truths), abs=1e-9)


def test_perfect_detections_have_ap_1_and_a_missed_box_costs_its_share() -> None:
    truths = [truth((0, 0, 10, 10), (20, 0, 30, 10))]
    assert ap50([found((0, 0, 10, 10, 0.9), (20, 0, 30, 10, 0.8))], truths) == pytest.approx(1.0)
    assert ap50([found((0, 0, 10, 10, 0.9))], truths) == pytest.approx(HALF)
    assert ap50([found()], truths) == 0.0


def test_a_second_detection_of_the_same_box_is_a_false_alarm() -> None:
    truths = [truth((0, 0, 10, 10), (50, 50, 60, 60))]
    twice = found((0, 0, 10, 10, 0.9), (0, 0, 10, 10, 0.8), (50, 50, 60, 60, 0.7))
    assert ap50([twice], truths) == pytest.approx(HALF + (1 - HALF) * 2 / 3)


def test_a_detection_in_an_ignore_box_counts_neither_way() -> None:
    with_crowd = truth((0, 0, 10, 10), (40, 0, 80, 40), ignore=(False, True))
    in_crowd = found((45, 5, 55, 25, 0.95), (60, 5, 70, 25, 0.94), (0, 0, 10, 10, 0.5))
    assert ap50([in_crowd], [with_crowd]) == pytest.approx(1.0)
    assert ap50([found((0, 0, 10, 10, 0.5))], [with_crowd]) == pytest.approx(1.0)


def test_classes_are_averaged_and_those_without_truth_left_out() -> None:
    boxes = np.array([[0, 0, 10, 10], [20, 0, 30, 10]], np.float64)
    two = Truth(boxes, np.array([0, 1]), np.zeros(2, np.bool_))
    only_first = Detections(boxes[:1], np.array([0.9]), np.array([0]))
    with_third = Detections(boxes, np.array([0.9, 0.8]), np.array([0, 2]))
    assert ap50([only_first], [two]) == pytest.approx(0.5)
    assert ap50([with_third], [two]) == pytest.approx(0.5)


def test_wrong_inputs_are_refused_with_what_was_found() -> None:
    with pytest.raises(InputError, match="holds no box"):
        ap50([found()], [truth()])
    with pytest.raises(InputError, match="for 0 pictures and truth for 1"):
        ap50([], [truth((0, 0, 1, 1))])
    with pytest.raises(InputError, match="0 predictions for 1 targets"):
        accuracy(np.zeros((0, 2)), np.zeros(1, np.int64))


def test_the_bootstrap_interval_holds_the_value_and_repeats() -> None:
    predictions, truths = random_case(3, pictures=40)
    interval = ap50_bootstrap(predictions, truths, n=400, seed=1)
    assert interval.lo < ap50(predictions, truths) < interval.hi
    assert interval == ap50_bootstrap(predictions, truths, n=400, seed=1)
    assert interval != ap50_bootstrap(predictions, truths, n=400, seed=2)


def test_a_reweighted_bootstrap_equals_drawing_pictures() -> None:
    predictions, truths = random_case(4, pictures=10)
    drawn = np.random.default_rng(0).multinomial(10, np.full(10, 0.1), size=1)[0]
    again = [i for i, times in enumerate(drawn) for _ in range(times)]
    direct = ap50([predictions[i] for i in again], [truths[i] for i in again])
    assert ap50_bootstrap(predictions, truths, n=1, seed=0).lo == pytest.approx(direct)


def test_a_model_does_not_differ_from_itself_and_pairing_narrows_the_interval() -> None:
    predictions, truths = random_case(5, pictures=40)
    same = ap50_difference(predictions, predictions, truths, n=200)
    assert (same.value, same.lo, same.hi) == (0.0, 0.0, 0.0)
    worse = [Detections(p.boxes, p.scores * (p.scores > 0.2), p.labels) for p in predictions]
    paired = ap50_difference(worse, predictions, truths, n=200)
    alone = ap50_bootstrap(predictions, truths, n=200)
    assert paired.hi - paired.lo < alone.hi - alone.lo
    assert paired.value == pytest.approx(ap50(worse, truths) - ap50(predictions, truths))


def test_pictures_that_belong_together_are_drawn_together() -> None:
    targets = np.arange(400) % 2
    right = np.eye(2)[targets]
    groups = np.arange(400) // 40
    worse = np.where((groups == 3)[:, None], 1 - right, right)  # wrong in one group alone
    alone = accuracy_difference(worse, right, targets)
    together = accuracy_difference(worse, right, targets, groups=groups)
    assert together.value == alone.value == -0.1
    assert together.hi - together.lo > 3 * (alone.hi - alone.lo)


def test_accuracy_counts_the_most_probable_class() -> None:
    targets = np.array([0, 1, 1, 0])
    right = np.eye(2)[targets]
    half = np.eye(2)[[0, 1, 0, 1]]
    assert accuracy(right, targets) == 1.0
    assert accuracy(half, targets) == 0.5
    difference = accuracy_difference(right, half, targets, n=200)
    assert difference.value == 0.5
    assert 0.0 <= difference.lo <= 0.5 <= difference.hi <= 1.0
    interval = accuracy_bootstrap(half, targets, n=200)
    assert interval.lo <= 0.5 <= interval.hi
