"""From outputs to decisions, and when two sets of decisions agree."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edge_runtime.contract import (
    Decisions,
    Tolerance,
    all_finite,
    decide,
    disagreement,
    iou_matrix,
)
from edge_runtime.errors import ContractError

THRESHOLD = 0.5
BOXES = ((0.0, 0.0, 10.0, 20.0), (30.0, 0.0, 40.0, 20.0))
EXPECTED = Decisions((0, 0), (0.9, 0.7), BOXES)


def _outputs(scores: list[float]) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
    boxes = np.array([[[k, 0, k + 10, 20] for k in range(len(scores))]], np.float32)
    labels = np.zeros((1, len(scores)), np.int64)
    return {"boxes": boxes, "scores": np.array([scores], np.float32), "labels": labels}


def test_decisions_come_best_first_from_the_threshold_up() -> None:
    found = decide("detection", _outputs([0.2, 0.9, 0.5]), 0, 0.5)
    assert [round(s, 3) for s in found.scores] == [0.9, 0.5]
    assert found.boxes[0] == (1.0, 0.0, 11.0, 20.0)


def test_a_class_is_decided_whatever_the_threshold() -> None:
    found = decide("classification", {"probabilities": np.array([[0.2, 0.5, 0.3]])}, 0, 0.99)
    assert (found.labels, found.scores) == ((1,), (0.5,))


@pytest.mark.parametrize("output", ["boxes", "scores", "labels"])
def test_a_missing_output_is_named(output: str) -> None:
    outputs = _outputs([0.9])
    del outputs[output]
    with pytest.raises(ContractError, match=output):
        decide("detection", outputs, 0, 0.5)


def test_numbers_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ContractError, match="finite"):
        decide("detection", _outputs([float("nan")]), 0, 0.5)
    with pytest.raises(ContractError, match="finite"):
        decide("classification", {"probabilities": np.array([[np.inf]])}, 0, 0.5)


@given(
    arrays.arrays(np.float32, arrays.array_shapes(min_dims=1, max_dims=3, min_side=0)), st.data()
)
def test_all_finite_is_what_isfinite_says(
    values: np.ndarray[tuple[int, ...], np.dtype[np.float32]], data: st.DataObject
) -> None:
    assert all_finite(values) == bool(np.isfinite(values).all())
    if values.size:
        place = data.draw(st.integers(0, values.size - 1))
        values.flat[place] = data.draw(st.sampled_from([np.nan, np.inf, -np.inf]))
        assert not all_finite(values)


def test_shapes_that_do_not_fit_are_refused() -> None:
    outputs = _outputs([0.9, 0.8])
    outputs["boxes"] = outputs["boxes"][:, :1]
    with pytest.raises(ContractError, match=r"expected boxes \[K,4\]"):
        decide("detection", outputs, 0, 0.5)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"scores": (0.93, 0.66)}, None),
        ({"scores": (0.9, 0.6)}, "a score is 0.600, expected 0.700"),
        ({"boxes": (BOXES[0], (30.5, 0.0, 40.5, 20.0))}, None),
        ({"boxes": (BOXES[0], (35.0, 0.0, 45.0, 20.0))}, "a decision of score 0.700 is missing"),
        ({"labels": (0, 1)}, "a decision of score 0.700 is missing"),
    ],
)
def test_disagreement_names_the_first_difference(
    change: dict[str, object], reason: str | None
) -> None:
    found = msgspec.structs.replace(EXPECTED, **change)
    assert disagreement(EXPECTED, found, THRESHOLD, Tolerance()) == reason


def test_a_decision_at_the_threshold_may_be_missing_on_either_side() -> None:
    near = Decisions((0,), (0.52,), (BOXES[0],))
    assert disagreement(near, Decisions((), ()), THRESHOLD, Tolerance()) is None
    assert disagreement(Decisions((), ()), near, THRESHOLD, Tolerance()) is None


def test_a_surplus_decision_is_a_disagreement() -> None:
    one = Decisions((0,), (0.9,), (BOXES[0],))
    assert disagreement(one, EXPECTED, THRESHOLD, Tolerance()) == (
        "an unexpected decision of score 0.700"
    )


def test_classes_are_compared_by_class_and_probability() -> None:
    expected = Decisions((3,), (0.9,))
    assert disagreement(expected, Decisions((3,), (0.88,)), 0.5, Tolerance()) is None
    assert "class (4,)" in str(disagreement(expected, Decisions((4,), (0.9,)), 0.5, Tolerance()))
    assert "probability" in str(disagreement(expected, Decisions((3,), (0.5,)), 0.5, Tolerance()))


def test_overlaps() -> None:
    a = np.array([[0, 0, 10, 10], [5, 5, 5, 9]], np.float32)
    b = np.array([[0, 0, 10, 10], [0, 0, 10, 5], [20, 20, 30, 30]], np.float32)
    assert np.allclose(iou_matrix(a, b), np.array([[1, 0.5, 0], [0, 0, 0]]))
