"""A classifier's evaluation against figures worked out by hand and by scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from edgefactory.datasets.errors import InputError
from edgefactory.training.evaluation import Evaluation, Guesses, evaluate_classes

from .made import item, items, subject

CLASSES = tuple("abcdefg")


def guesses(seed: int, count: int, split: str = "test") -> Guesses:
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, len(CLASSES), count)
    logits = generator.normal(0, 1, (count, len(CLASSES)))
    logits[np.arange(count), targets] += 1.5
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    made = [item(i, "ab"[i % 2]) for i in range(count)]
    return Guesses("val" if split == "val" else "test", made, shares, targets)


@pytest.fixture(scope="module")
def judged() -> Evaluation:
    return evaluate_classes(
        subject(CLASSES, "classification", worst=4), guesses(0, 120), guesses(1, 120, "val")
    )


def test_the_figures_are_what_others_say(judged: Evaluation) -> None:
    shown, figures = guesses(0, 120), judged.overall()
    kinds = np.arange(len(CLASSES))
    expected = {
        "accuracy": metrics.accuracy_score(shown.targets, shown.said),
        "balanced_accuracy": metrics.balanced_accuracy_score(shown.targets, shown.said),
        "top5": metrics.top_k_accuracy_score(shown.targets, shown.probabilities, k=5, labels=kinds),
        "log_loss": metrics.log_loss(shown.targets, shown.probabilities, labels=kinds),
    }
    assert {name: figure.value for name, figure in figures.items()} == pytest.approx(expected)
    for figure in figures.values():
        assert figure.interval is not None
        assert figure.value is not None
        assert figure.interval[0] < figure.value < figure.interval[1]


def test_each_class_has_precision_recall_and_f1(judged: Evaluation) -> None:
    shown = guesses(0, 120)
    told = metrics.precision_recall_fscore_support(shown.targets, shown.said, zero_division=0)
    for label, name in enumerate(CLASSES):
        part = next(p for p in judged.slices if p.by == "class" and p.name == name)
        values = [part.figures[key].value for key in ("precision", "recall", "f1")]
        assert values == pytest.approx([float(figure[label]) for figure in told[:3]])
        assert part.pictures == told[3][label]


def test_the_confusion_matrix_is_truth_by_answer(judged: Evaluation) -> None:
    shown = guesses(0, 120)
    assert judged.confusion is not None
    assert judged.confusion.labels == CLASSES
    expected = metrics.confusion_matrix(shown.targets, shown.said)
    assert np.array_equal(judged.confusion.counts, expected)


def test_the_worst_mistakes_are_those_that_were_surest(judged: Evaluation) -> None:
    losses = [mistake.loss for mistake in judged.mistakes]
    assert len(losses) == 4
    assert losses == sorted(losses, reverse=True)
    shown = guesses(0, 120)
    wrong = shown.loss[shown.said != shown.targets]
    assert losses[0] == pytest.approx(wrong.max(), abs=1e-5)
    assert judged.mistakes_of_kind == {"wrong-class": len(wrong)}


def test_slices_by_camera_and_by_class(judged: Evaluation) -> None:
    assert [p.name for p in judged.slices if p.by == "source"] == ["a", "b"]
    assert judged.point is None
    assert judged.curve is None


def test_a_temperature_is_fitted_on_val_only(judged: Evaluation) -> None:
    assert judged.calibration is not None
    assert judged.calibration.fitted_on == "val"
    alone = evaluate_classes(subject(CLASSES, "classification"), guesses(0, 60), None)
    assert alone.calibration is not None
    assert alone.calibration.temperature is None
    assert "no other split" in alone.calibration.why


def test_few_classes_have_no_top_five_and_rare_ones_no_figures() -> None:
    shares = np.tile([[0.7, 0.2, 0.1]], (30, 1))
    targets = np.array([0] * 28 + [1] * 2)
    shown = Guesses("test", items(30), shares, targets)
    judged = evaluate_classes(subject(("a", "b", "c"), "classification"), shown, None)
    assert "top5" not in judged.overall()
    rare = next(part for part in judged.slices if part.name == "b")
    assert rare.figures == {}
    assert rare.why == "2 pictures; 10 are needed for a figure"


def test_no_labelled_picture_is_refused() -> None:
    nothing = Guesses("test", [], np.zeros((0, 2)), np.zeros(0, np.int64))
    with pytest.raises(InputError, match="test of toy has no picture with a settled class"):
        evaluate_classes(subject(("a", "b"), "classification"), nothing, None)
