"""Confident learning, and the folds and the learner that it rests on."""

from __future__ import annotations

import numpy as np

from edgefactory.datasets.checks.confident import confident_class, find_label_errors
from edgefactory.datasets.checks.learner import FOLDS, folds, out_of_fold
from edgefactory.datasets.checks.measuring import describe

from .pictures import digits


def test_the_thresholds_are_those_of_each_class() -> None:
    # The mean probabilities of their own are 0.8 and 0.55: 0.6 is confident for the second class.
    probabilities = np.array([[0.9, 0.1], [0.7, 0.3], [0.4, 0.6], [0.5, 0.5]], np.float32)
    labels = np.array([0, 0, 1, 1])
    assert confident_class(probabilities, labels).tolist() == [0, -1, 1, -1]


def test_a_wrong_label_is_found_and_what_is_not_judged_is_not() -> None:
    probabilities = np.array([[0.9, 0.1]] * 10 + [[0.1, 0.9]] * 10, np.float32)
    labels = np.array([0] * 10 + [1] * 9 + [0])
    (error,) = find_label_errors(probabilities, labels)
    assert (error.sample, error.expected) == (19, 1)
    labels[19] = -1
    assert find_label_errors(probabilities, labels) == []


def test_neighbours_share_a_fold_and_every_fold_is_used() -> None:
    fold = folds(np.repeat(np.arange(3, dtype=np.int32), 100))
    assert set(fold.tolist()) == set(range(FOLDS))
    assert (np.diff(fold) == 0).mean() > 0.8


def test_wrong_digits_are_found() -> None:
    pictures, names = digits(400)
    features = np.stack([describe(pixels) for pixels in pictures])
    true = np.asarray([int(name) for name in names])
    labels = true.copy()
    wrong = np.arange(7, 400, 25)
    labels[wrong] = (labels[wrong] + 3) % 10
    done: list[int] = []
    probabilities = out_of_fold(
        features, labels, folds(np.zeros(400, np.int32)), 10, lambda d, _t: done.append(d)
    )
    assert done == [1, 2, 3, 4, 5]
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-3)
    errors = find_label_errors(probabilities, labels)
    found = {error.sample for error in errors}
    assert len(found & set(wrong.tolist())) >= 12
    assert len(found - set(wrong.tolist())) <= 3
    assert all(error.expected == true[error.sample] for error in errors[:8])
