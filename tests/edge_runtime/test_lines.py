"""Sides, ends and hysteresis of a counting line."""

import pytest

from edge_runtime.errors import InputError
from edge_runtime.streams import Crossing, Line, LineCounter, TrackView
from edge_runtime.streams.lines import parse_line

LINE = Line((100, 50), (100, 250))  # downwards: its right is the side of small x


def at(x: float, y: float = 150, confirmed: bool = True, height: float = 50) -> list[TrackView]:
    """One track whose foot stands at (x, y)."""
    return [TrackView(7, (x - 10, y - height, x + 10, y), (x, y), 0.9, confirmed)]


def walk(*places: list[TrackView]) -> list[Crossing]:
    """The crossings of one walk."""
    counter = LineCounter(LINE)
    return [c for frame, views in enumerate(places) for c in counter.step(frame, views)]


def test_the_right_hand_side_is_positive() -> None:
    assert LINE.distance((90, 100)) == 10
    assert LINE.distance((110, 100)) == -10


def test_left_to_right_is_in_and_right_to_left_out() -> None:
    assert [c.direction for c in walk(at(120), at(80))] == ["in"]
    assert [c.direction for c in walk(at(80), at(120))] == ["out"]


def test_the_frame_is_the_first_on_the_other_side() -> None:
    assert walk(at(120), at(101), at(99), at(98), at(90)) == [Crossing(7, 2, "in")]


def test_standing_in_the_band_is_no_side() -> None:
    assert walk(at(120), at(98), at(102), at(98), at(102), at(120)) == []


def test_the_band_grows_with_the_height() -> None:
    assert walk(at(120, height=300), at(85, height=300), at(120, height=300)) == []
    assert len(walk(at(120), at(85), at(120))) == 2


@pytest.mark.parametrize(("y", "counted"), [(40, 0), (60, 1), (240, 1), (260, 0)])
def test_only_between_the_ends(y: float, counted: int) -> None:
    assert len(walk(at(120, y), at(80, y))) == counted


def test_walking_around_an_end_and_back_through_counts_the_way_back() -> None:
    around = (at(120, 150), at(120, 300), at(80, 300), at(80, 150))
    assert [c.direction for c in walk(*around, at(120, 150))] == ["out"]


def test_a_track_counts_once_it_is_confirmed() -> None:
    assert walk(at(120, confirmed=False), at(80, confirmed=False)) == []
    assert walk(at(120, confirmed=False), at(80, confirmed=False), at(70)) == [Crossing(7, 1, "in")]


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,x", "1,2,1,2", "nan,0,1,1", "1,2,3,4,5"])
def test_a_line_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="line"):
        parse_line(text)


def test_a_line_is_read() -> None:
    assert parse_line("322,170,300.5,380") == Line((322, 170), (300.5, 380))
