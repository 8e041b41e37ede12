"""A detector's evaluation: figures for the whole and for each slice that is large enough."""

from __future__ import annotations

import numpy as np
import pytest

from edgefactory.datasets.errors import InputError
from edgefactory.training.evaluation import (
    Boxes,
    Costs,
    Evaluation,
    Measure,
    Point,
    evaluate_detections,
)
from edgefactory.training.metrics import Detections, Truth

from .made import crowd, found, item, items, subject, truth

POINT = Point(0.5, "by hand")


def boxes(answers: list[Detections], truths: list[Truth]) -> Boxes:
    return Boxes("test", items(len(truths)), answers, truths)


@pytest.fixture(scope="module")
def judged() -> Evaluation:
    """Two classes in forty pictures of two cameras, with a temperature of forty others."""
    answers, truths = crowd(np.random.default_rng(0), 40, 2)
    shown = Boxes("test", [item(i, "ab"[i % 2]) for i in range(40)], answers, truths)
    other = Boxes("val", items(40), *crowd(np.random.default_rng(1), 40, 2))
    about = subject(("cat", "dog"), costs=Costs(5, 1), worst=3)
    return evaluate_detections(about, shown, other, POINT)


def test_every_figure_has_a_number_and_an_interval_around_it(judged: Evaluation) -> None:
    for part in judged.slices:
        assert bool(part.figures) != bool(part.why)
        for figure in part.figures.values():
            assert figure.value is not None
            assert figure.interval is not None
            assert figure.n > 0
            assert figure.interval[0] <= figure.value <= figure.interval[1]


def test_the_whole_has_the_coco_family_and_what_the_operating_point_makes(
    judged: Evaluation,
) -> None:
    assert set(judged.overall()) == {
        *("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar1", "ar10", "ar100"),
        *("precision", "recall", "f1", "false_alarms", "cost"),
    }


def test_slices_are_by_class_size_and_camera(judged: Evaluation) -> None:
    found_slices = [(part.by, part.name) for part in judged.slices]
    assert found_slices == [
        ("all", "all"),
        ("class", "cat"),
        ("class", "dog"),
        ("size", "small"),
        ("size", "medium"),
        ("size", "large"),
        ("source", "a"),
        ("source", "b"),
    ]
    assert set(judged.unsliced) == {"time"}
    sizes = [part.figures["recall"].n for part in judged.slices if part.by == "size"]
    assert sum(sizes) == judged.overall()["recall"].n


def test_a_class_is_judged_as_if_it_were_alone(judged: Evaluation) -> None:
    answers, truths = crowd(np.random.default_rng(0), 40, 2)
    cats = [
        Detections(a.boxes[a.labels == 0], a.scores[a.labels == 0], a.labels[a.labels == 0])
        for a in answers
    ]
    there = [
        Truth(t.boxes[t.labels == 0], t.labels[t.labels == 0], t.ignore[t.labels == 0])
        for t in truths
    ]
    alone = evaluate_detections(subject(("cat",)), boxes(cats, there), None, POINT).overall()
    part = next(part for part in judged.slices if part.name == "cat")
    for name in ("ap", "ap50", "precision", "recall", "f1"):
        assert part.figures[name].value == pytest.approx(alone[name].value)


def test_precision_recall_and_cost_are_those_of_the_operating_point() -> None:
    seen = found((0, 0, 10, 10, 0.9), (50, 0, 60, 10, 0.6), (20, 0, 30, 10, 0.4))
    there = truth((0, 0, 10, 10), (20, 0, 30, 10))
    figures = evaluate_detections(
        subject(("cat",), costs=Costs(5, 2)), boxes([seen], [there]), None, POINT
    ).overall()
    values = {name: figures[name].value for name in ("precision", "recall", "f1", "cost")}
    assert values == {"precision": 0.5, "recall": 0.5, "f1": 0.5, "cost": 7.0}
    assert figures["false_alarms"] == Measure(1, 1.0, why="no interval from 1; 5 are needed")


def test_a_detector_that_finds_nothing_is_judged_all_the_same() -> None:
    shown = boxes([found()] * 12, [truth((0, 0, 10, 10))] * 12)
    judged = evaluate_detections(subject(("cat",)), shown, shown, POINT)
    assert judged.overall()["ap"].value == 0.0
    assert judged.overall()["precision"] == Measure(0, why="nothing reaches the threshold")
    assert judged.mistakes_of_kind == {"missed": 12}
    assert judged.curve is not None
    assert judged.curve.x == ()
    assert judged.calibration is not None
    assert judged.calibration.before.ece.value is None
    assert judged.calibration.temperature is None


def test_the_curve_ends_where_everything_found_counts_and_marks_the_point(
    judged: Evaluation,
) -> None:
    curve = judged.curve
    assert curve is not None
    assert curve.at is not None
    assert list(curve.x) == sorted(curve.x)
    figures = judged.overall()
    assert curve.at == (figures["recall"].value, figures["precision"].value)


def test_the_worst_mistakes_name_their_pictures(judged: Evaluation) -> None:
    known = {item(i).id for i in range(40)}
    assert {mistake.item for mistake in judged.mistakes} <= known
    kinds = [mistake.kind for mistake in judged.mistakes]
    assert all(kinds.count(kind) == min(3, n) for kind, n in judged.mistakes_of_kind.items())


def test_a_temperature_is_of_another_split(judged: Evaluation) -> None:
    calibration = judged.calibration
    assert calibration is not None
    assert calibration.fitted_on == "val"
    assert calibration.temperature is not None
    assert calibration.after is not None


def test_a_split_without_a_box_is_refused() -> None:
    shown = boxes([found((0, 0, 9, 9, 0.9))], [truth((0, 0, 9, 9), ignore=[0])])
    with pytest.raises(InputError, match="test of toy holds no box to find in 1 pictures"):
        evaluate_detections(subject(("cat",)), shown, None, POINT)
