"""What may be asked for, the order of the draw, and how a report reads."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgefactory.datasets.bounds import BoundSettings, GroupReport, calibration_order
from edgefactory.datasets.errors import InputError


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"max_error": 0.0}, "max_error 0.0: expected a share between 0 and 1"),
        ({"confidence": 1.0}, "confidence 1.0"),
        ({"tries": 0}, "tries 0"),
        ({"sample": 0}, "sample 0"),
        ({"iou": 1.5}, "iou 1.5"),
    ],
)
def test_what_cannot_be_asked_is_refused(asked: dict[str, float], says: str) -> None:
    with pytest.raises(InputError, match=re.escape(says)):
        BoundSettings(**asked)  # type: ignore[arg-type]  # that is the test


@given(st.sets(st.text(max_size=8), max_size=30), st.integers(0, 5))
@settings(deadline=None, max_examples=40)
def test_the_order_is_fixed_by_the_seed_alone(ids: set[str], seed: int) -> None:
    order = calibration_order(ids, seed)
    assert sorted(order) == sorted(ids)
    assert calibration_order(reversed(order), seed) == order
    some = set(sorted(ids)[::2])
    assert calibration_order(some, seed) == [id_ for id_ in order if id_ in some]


def test_the_order_is_the_one_that_is_written_down() -> None:
    """Anybody can make it again, in any language, for ever."""
    assert calibration_order(["a", "b", "c", "d"], 7) == ["c", "a", "d", "b"]


def test_every_place_is_as_likely_under_some_seed() -> None:
    first = [calibration_order("abcd", seed)[0] for seed in range(400)]
    assert all(70 <= first.count(letter) <= 130 for letter in "abcd")


@pytest.mark.parametrize(
    ("report", "says"),
    [
        (
            GroupReport(("a",), 0.5, 90, 70, 30, 1),
            "a: 70 of 90 labels accepted, from score 0.500 on; 1 of 30 checked were wrong",
        ),
        (
            GroupReport(("a", "b"), None, 90, 0, 30, 0, 25, 25),
            "a, b: none of 90 labels accepted; 0 of 30 checked were wrong; "
            "check 25 more pictures if none of them has a wrong label",
        ),
        (
            GroupReport(("a",), None, 90, 0, 30, 2, 25, 60),
            "a: none of 90 labels accepted; 2 of 30 checked were wrong; check 25 more pictures "
            "if none of them has a wrong label, about 60 at the rate of errors so far",
        ),
        (
            GroupReport(("a",), None, 90, 0, 30, 9, 25, None),
            "a: none of 90 labels accepted; 9 of 30 checked were wrong; check 25 more pictures "
            "if none of them has a wrong label; at the rate of errors so far no number will do",
        ),
        (
            GroupReport(("a",), None, 90, 0, 30, 9),
            "a: none of 90 labels accepted; 9 of 30 checked were wrong; no number of checked "
            "pictures will do: review, or allow more error",
        ),
    ],
)
def test_a_report_is_one_line(report: GroupReport, says: str) -> None:
    assert report.line() == says
