"""Two answers about one picture become pairs, and what changed is counted once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefactory.compress.parity.pairing import paired, told_apart
from edgefactory.training import Detections

POINT = 0.3
UNCHANGED = {"missing": 0, "extra": 0, "flipped": 0, "moved": 0}


Row = tuple[float, float, float, float, float, int]


def found(*boxes: Row) -> Detections:
    table = np.asarray(boxes, np.float64).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4], table[:, 5].astype(np.int64))


SAID = [(0, 0.9, 0), (1, 0.8, 0), (2, 0.7, 1), (3, 0.6, 0)]


def box(x: float, height: float, score: float, label: int) -> Row:
    return x, 0.0, x + 10, height, score, label


@st.composite
def detections(draw: st.DrawFn) -> Detections:
    corner, side = st.floats(0, 100), st.floats(1, 50)
    made = []
    for _ in range(draw(st.integers(0, 6))):
        x, y, w, h = draw(corner), draw(corner), draw(side), draw(side)
        made.append((x, y, x + w, y + h, draw(st.floats(0, 1)), draw(st.integers(0, 2))))
    return found(*made)


@given(detections())
def test_an_answer_is_like_itself(answer: Detections) -> None:
    pair = paired(answer, answer, POINT)
    assert pair.changes == UNCHANGED
    assert pair.decisions == pair.reference == int((answer.scores >= POINT).sum())
    assert not any(pair.moves)


@given(detections(), detections())
def test_the_two_may_change_places(a: Detections, b: Detections) -> None:
    there, back = paired(a, b, POINT), paired(b, a, POINT)
    assert there.changes["missing"] == back.changes["extra"]
    assert there.decisions == back.decisions
    assert sorted(there.moves) == pytest.approx(sorted(-move for move in back.moves))


@given(detections(), detections())
def test_a_decision_changes_in_one_way_at_most(a: Detections, b: Detections) -> None:
    pair = paired(a, b, POINT)
    assert pair.changed <= pair.decisions <= pair.reference + pair.other


def test_each_kind_of_change_is_told() -> None:
    a = found(*(box(20 * n, 10, score, label) for n, score, label in SAID))
    b = found(box(0, 10, 0.85, 0), box(20, 6, 0.8, 0), box(40, 10, 0.7, 0), box(80, 10, 0.5, 0))
    assert told_apart(a, b) == (
        [None, "moved", "flipped", "missing"],
        [None, "moved", "flipped", "extra"],
    )
    pair = paired(a, b, POINT)
    assert pair.changes == {"missing": 1, "extra": 1, "flipped": 1, "moved": 1}
    assert (pair.decisions, pair.changed) == (5, 4)
    assert pair.moves[0] == pytest.approx(-0.05)


def test_what_lies_below_the_operating_point_is_no_decision() -> None:
    pair = paired(found((0, 0, 10, 10, 0.31, 0)), found((0, 0, 10, 10, 0.29, 0)), POINT)
    assert pair.changes == {**UNCHANGED, "missing": 1}


def test_classes_flip() -> None:
    pair = paired(np.asarray([0.2, 0.8]), np.asarray([0.6, 0.4]), POINT)
    assert (pair.decisions, pair.changes["flipped"]) == (1, 1)
    assert pair.moves[0] == pytest.approx(-0.4)
