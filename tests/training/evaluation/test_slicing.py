"""Pictures are grouped by camera and by time of day, where those are known."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from edgefactory.training.evaluation.slicing import MOST_GROUPS, groups, too_small

from .made import item, items

_NOON = 1_750_075_200.0  # 2025-06-16 12:00 UTC


def test_one_camera_and_no_clock_give_no_groups_and_the_reasons() -> None:
    made = groups(items(3))
    assert made.found == ()
    assert made.without["source"] == "all pictures are from cam"
    assert "from the start of the source" in made.without["time"]


def test_cameras_are_groups_the_largest_first() -> None:
    made = groups([item(0, "door"), item(1, "hall"), item(2, "hall")])
    assert [(g.by, g.name, g.pictures.tolist()) for g in made.found] == [
        ("source", "hall", [1, 2]),
        ("source", "door", [0]),
    ]


def test_posix_times_are_told_by_the_hour_in_the_zone_that_is_asked_for() -> None:
    taken = [item(0, captured_at=_NOON), item(1, captured_at=_NOON - 8 * 3600)]
    assert [g.name for g in groups(taken).found] == ["00:00-06:00", "12:00-18:00"]
    east = groups(taken, ZoneInfo("Asia/Tokyo"))
    assert [(g.name, g.pictures.tolist()) for g in east.found] == [
        ("12:00-18:00", [1]),
        ("18:00-24:00", [0]),
    ]


def test_of_very_many_cameras_the_largest_are_told() -> None:
    taken = [item(number, f"cam-{number % 120}") for number in range(130)]
    made = groups(taken)
    assert len(made.found) == MOST_GROUPS
    assert made.without["source"] == "the 100 of 120 with the most pictures"
    assert {g.name for g in made.found} >= {f"cam-{number}" for number in range(10)}


def test_milliseconds_are_no_clock() -> None:
    assert "time" in groups([item(0, captured_at=_NOON * 1000)]).without


def test_a_single_picture_without_a_clock_leaves_the_time_out() -> None:
    made = groups([item(0, captured_at=_NOON), item(1, captured_at=3.0)])
    assert made.found == ()
    assert "time" in made.without


def test_a_small_slice_says_what_is_there_and_what_is_needed() -> None:
    assert too_small(5, 10, "boxes") == ""
    assert too_small(4, 90, "boxes") == ("90 boxes in 4 pictures; 10 in 5 are needed for a figure")
