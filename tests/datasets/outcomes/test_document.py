"""Outcomes are parsed strictly, and those of every released version for ever."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from edgefactory.datasets.errors import InputError
from edgefactory.datasets.outcomes import (
    Outcomes,
    compare,
    encode_outcomes,
    figure,
    parse_outcomes,
    parts,
    read_outcomes,
    time_of_day,
)

FIXTURE = Path(__file__).parents[1] / "fixtures" / "outcomes-1.json"


@pytest.fixture
def outcomes() -> Outcomes:
    return read_outcomes(FIXTURE)


def test_the_first_format_keeps_parsing_and_means_the_same(outcomes: Outcomes) -> None:
    assert encode_outcomes(outcomes) == FIXTURE.read_bytes()
    good, bad = outcomes.subjects
    assert figure(outcomes, good) == pytest.approx(1.0)
    # Half of what is wanted was found, all of it right: 51 of the 101 recalls of COCO are reached.
    assert figure(outcomes, bad) == pytest.approx(51 / 101)


def test_slices_are_by_class_source_and_time_of_day(outcomes: Outcomes) -> None:
    found = {
        by: [(p.name, len(p.places), p.things) for p in parts(outcomes, by)]
        for by in ("all", "class", "source", "time")
    }
    assert found["all"] == [("all", 8, 8)]
    assert found["class"] == [("person", 8, 8)]
    assert found["source"] == [("hall", 4, 4), ("street", 4, 4)]
    assert found["time"] == [("00:00-06:00", 6, 6), ("06:00-12:00", 2, 2)]
    assert time_of_day(12.0) is None


def test_the_worse_of_two_is_below(outcomes: Outcomes) -> None:
    good, bad = outcomes.subjects
    (everything,) = parts(outcomes, "all")
    found = compare(outcomes, bad, good, everything, 0.05)
    assert found.value == pytest.approx(51 / 101 - 1)
    assert found.limit < found.value


def test_the_higher_lowest_score_counts_for_both(outcomes: Outcomes) -> None:
    good, _ = outcomes.subjects
    high = msgspec.structs.replace(good, lowest_score=0.99)
    (everything,) = parts(outcomes, "all")
    assert compare(outcomes, good, high, everything, 0.05).value == 0.0


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"schema"', '"shema"', "shema"),
        ('"person":[1,1', '"person":[1', "values for 8 pictures"),
        ('"picture":[0', '"picture":[99', "in no picture"),
        ('"right":[true,', '"right":[', "differ in length"),
        ('"score":[0.9', '"score":[0.1', "do not fall"),
        ('"boxes":{"person"', '"boxes":{"cat"', "wanted are"),
    ],
)
def test_what_contradicts_itself_is_refused(old: str, new: str, reason: str) -> None:
    text = FIXTURE.read_text()
    assert old in text
    with pytest.raises(InputError, match=reason):
        parse_outcomes(text.replace(old, new, 1).encode(), "a file")
