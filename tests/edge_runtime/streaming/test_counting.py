"""A stream that never ends counts as a recording does, and keeps nothing for ever."""

import numpy as np

from edge_runtime.streams.counting import REMEMBERED, Counting, Moment, tracker_settings
from edge_runtime.streams.lines import parse_line

LINE = parse_line("50,100,50,0")
NONE = np.zeros((0, 4), np.float32)


def _passes(counting: Counting, start: int) -> list[tuple[str, float]]:
    settings = tracker_settings(0.5, 5)
    found: list[tuple[str, float]] = []
    for step in range(20):
        x = 5 * step
        boxes = np.array([[x, 40, x + 10, 60]], np.float32)
        at = Moment(start + step, start + step / 5, 1000 + start + step)
        certain = counting.step(at, boxes, np.array([0.9], np.float32), settings)
        found += [(crossing.direction, when.time) for crossing, when in certain]
    for step in range(20, 60):
        at = Moment(start + step, 0, 0)
        counting.step(at, NONE, np.zeros(0, np.float32), settings)
    return found


def test_a_crossing_has_the_time_of_its_picture() -> None:
    counting = Counting(LINE, tracker_settings(0.5, 5))
    assert _passes(counting, 0) == [("in", 1010.0)]
    assert _passes(counting, 60) == [("in", 1070.0)]


def test_what_is_kept_is_bounded() -> None:
    counting = Counting(LINE, tracker_settings(0.5, 5))
    for start in range(0, 1200, 60):
        assert len(_passes(counting, start)) == 1
    assert not counting._counter._walks
    assert len(counting._moments) == REMEMBERED
