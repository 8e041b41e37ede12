"""Our reweighted figures at weight 1 are COCO's, and under weights those of the pictures drawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgefactory.datasets.outcomes import mean_precision, mean_recall, precisions
from edgefactory.training.evaluation.coco import APS, EVERY_IOU, IOU50, MOST, family
from edgefactory.training.evaluation.matching import EVERY, SIZES, classes_in, match
from edgefactory.training.evaluation.matching import MOST as LIMIT
from edgefactory.training.evaluation.resampling import drawn
from edgefactory.training.metrics import Detections

from .made import crowd, found, truth


@given(
    seed=st.integers(0, 2**32),
    pictures=st.integers(1, 10),
    classes=st.integers(1, 3),
    coarse=st.booleans(),
)
@settings(max_examples=60)
def test_every_figure_equals_the_library_also_where_boxes_are_to_be_ignored(
    seed: int, pictures: int, classes: int, coarse: bool
) -> None:
    answers, truths = crowd(np.random.default_rng(seed), pictures, classes, coarse)
    labels = classes_in(truths)
    if not labels:
        return
    told, once = family(answers, truths, labels), np.ones((1, pictures))
    for size, ends in {"all": EVERY, **SIZES}.items():
        matched = [match(answers, truths, label, ends) for label in labels]
        table = precisions(matched, once)
        for ious in APS.values():
            ours = mean_precision(table[ious])[0]
            assert ours == pytest.approx(told.ap(ious, size), abs=1e-9, nan_ok=True)
        for place, label in enumerate(labels):
            ours = mean_precision(table[:, place])[0]
            assert ours == pytest.approx(told.ap(EVERY_IOU, size, label), abs=1e-9, nan_ok=True)
        for most in MOST:
            ours = mean_recall(matched, once, most)[0]
            assert ours == pytest.approx(told.ar(most, size), abs=1e-9, nan_ok=True)


def test_a_weight_is_a_number_of_copies() -> None:
    answers, truths = crowd(np.random.default_rng(5), 8, 2)
    labels = classes_in(truths)
    weights = drawn(8, 6, 1)
    matched = [match(answers, truths, label) for label in labels]
    ours = mean_precision(precisions(matched, weights))
    recalls = mean_recall(matched, weights, 10)
    for row, times in enumerate(weights.astype(int)):
        again = [picture for picture, count in enumerate(times) for _ in range(count)]
        copies = [answers[i] for i in again], [truths[i] for i in again]
        told = family(*copies, classes_in(copies[1]))
        assert ours[row] == pytest.approx(told.ap(EVERY_IOU), abs=1e-9)
        assert recalls[row] == pytest.approx(told.ar(10), abs=1e-9)


def test_only_the_hundred_best_detections_of_a_picture_count() -> None:
    boxes = np.tile([[100.0, 100, 110, 110]], (LIMIT, 1))
    noise = Detections(boxes, np.full(LIMIT, 0.9), np.zeros(LIMIT, np.int64))
    late = found((0, 0, 10, 10, 0.1))
    both = Detections(
        np.vstack([noise.boxes, late.boxes]),
        np.append(noise.scores, late.scores),
        np.append(noise.labels, late.labels),
    )
    there = [truth((0, 0, 10, 10))]
    once = np.ones((1, 1))
    assert mean_precision(precisions([match([both], there, 0)], once))[0] == 0.0
    assert family([both], there, [0]).ap(IOU50) == 0.0


def test_pictures_can_be_left_out_after_matching() -> None:
    answers, truths = crowd(np.random.default_rng(3), 9, 1)
    some = np.array([7, 2, 3, 5])
    kept = match(answers, truths, 0).only(some)
    anew = match([answers[i] for i in some], [truths[i] for i in some], 0)
    once = np.ones((1, 4))
    assert kept.wanted.tolist() == anew.wanted.tolist()
    ours, theirs = (mean_precision(precisions([one], once))[0] for one in (kept, anew))
    assert ours == pytest.approx(theirs)


def test_nothing_found_is_0_and_nothing_to_find_is_no_figure() -> None:
    once = np.ones((1, 1))
    empty = match([found()], [truth((0, 0, 10, 10))], 0)
    assert mean_precision(precisions([empty], once))[0] == 0.0
    unwanted = match([found((0, 0, 10, 10, 0.5))], [truth()], 0)
    assert np.isnan(mean_precision(precisions([unwanted], once))[0])
