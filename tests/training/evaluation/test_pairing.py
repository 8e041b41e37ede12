"""Each kind of mistake is told apart, and the confusion matrix counts everything once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefactory.training.evaluation import Costs, Shown
from edgefactory.training.evaluation.mistakes import Picture, confusion, worst
from edgefactory.training.evaluation.pairing import Pair, pairs
from edgefactory.training.metrics import Detections, Truth

from .made import crowd, found, item, truth

_BOX, _FAR = (0, 0, 10, 10), (50, 50, 60, 60)


def kinds(seen: Detections, there: Truth, threshold: float = 0.5) -> list[str]:
    return [pair.kind for pair in pairs(seen, there, threshold)]


@pytest.mark.parametrize(
    ("seen", "there", "expected"),
    [
        (found((*_BOX, 0.9)), truth(_BOX), ["hit"]),
        (found((*_BOX, 0.4)), truth(_BOX), ["missed"]),
        (found((*_FAR, 0.9)), truth(_BOX), ["false-alarm", "missed"]),
        (found((*_BOX, 0.9, 1)), truth(_BOX), ["wrong-class"]),
        (found((*_BOX, 0.9), (*_BOX, 0.8)), truth(_BOX), ["hit", "duplicate"]),
        (found((*_BOX, 0.9), (*_BOX, 0.8, 1)), truth(_BOX), ["hit", "wrong-class"]),
        (found((0, 0, 10, 30, 0.9)), truth(_BOX), ["poor-box"]),
        (found((*_BOX, 0.9)), truth(_BOX, ignore=[0]), []),
    ],
)
def test_the_kind_of_a_mistake(seen: Detections, there: Truth, expected: list[str]) -> None:
    assert kinds(seen, there) == expected


def test_a_hit_of_its_class_comes_before_a_mistake_of_another() -> None:
    seen = found((*_BOX, 0.9, 1), (*_BOX, 0.6, 0))
    assert kinds(seen, truth(_BOX)) == ["hit", "wrong-class"]


def picture(seen: Detections, there: Truth, threshold: float = 0.5) -> Picture:
    return Picture(item(0), seen, there, pairs(seen, there, threshold))


def test_the_confusion_matrix_has_nothing_as_its_last_row_and_column() -> None:
    seen = found((*_BOX, 0.9), (*_BOX, 0.8), (*_FAR, 0.7, 0), (100, 0, 110, 30, 0.9, 1))
    there = truth(_BOX, (*_FAR, 1), (100, 0, 110, 10, 1), (150, 0, 160, 10, 0))
    counts = confusion([picture(seen, there)], ("cat", "dog"))
    assert counts.labels == ("cat", "dog", "nothing")
    # A duplicate and a poor box were found where nothing was; the poor box's dog was missed.
    assert counts.counts == ((1, 0, 1), (1, 0, 1), (1, 1, 0))


@given(seed=st.integers(0, 2**32), threshold=st.floats(0, 1))
def test_pairs_count_as_precision_and_recall_do(seed: int, threshold: float) -> None:
    answers, truths = crowd(np.random.default_rng(seed), 5, 2, coarse=True)
    trade = Shown("val", answers, truths).trade()
    if trade is None:
        return
    pictures = [
        Picture(item(i), seen, there, pairs(seen, there, threshold))
        for i, (seen, there) in enumerate(zip(answers, truths, strict=True))
    ]
    hits, alarms, missed = (int(part.sum()) for part in trade.counted(threshold))
    table = np.asarray(confusion(pictures, ("a", "b")).counts)
    assert np.trace(table[:2, :2]) == hits
    assert table[:, :2].sum() == hits + alarms
    assert table[:2].sum() == hits + missed


def test_the_loss_is_the_cost_times_how_sure_the_model_was_of_it() -> None:
    seen = found((*_FAR, 0.9), (*_BOX, 0.4), (100, 0, 110, 30, 0.8))
    there = truth(_BOX, (100, 0, 110, 10))
    made = picture(seen, there).mistakes(("cat",), Costs(fn=5, fp=1), 0.5)
    losses = {mistake.kind: mistake.loss for mistake in made}
    assert losses == pytest.approx({"false-alarm": 0.9, "poor-box": 4.8, "missed": 3.0})
    missed = next(mistake for mistake in made if mistake.kind == "missed")
    assert (missed.truth, missed.truth_box, missed.found_box) == ("cat", _BOX, None)


def test_the_worst_of_each_kind_are_kept_and_all_are_counted() -> None:
    seen = found(*((*_FAR, 0.5 + n / 100) for n in range(5)))
    made = picture(seen, truth(_BOX)).mistakes(("cat",), Costs(), 0.5)
    kept, total = worst(made, 2)
    assert total == {"false-alarm": 5, "missed": 1}
    assert [mistake.kind for mistake in kept] == ["missed", "false-alarm", "false-alarm"]
    assert [mistake.loss for mistake in kept] == sorted((m.loss for m in kept), reverse=True)


def test_a_pair_is_about_boxes_by_their_places() -> None:
    assert pairs(found((*_FAR, 0.1), (*_BOX, 0.9)), truth(_FAR, _BOX), 0.5) == [
        Pair("hit", 1, 1, 1.0),
        Pair("missed", None, 0),
    ]
