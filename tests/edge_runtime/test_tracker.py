"""Tracks of moving boxes: through noise, misses and occlusion, one object stays one track."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.streams import Line, LineCounter, Tracker, TrackerSettings, TrackView

Box = tuple[float, float, float, float, float]  # x0, y0, x1, y1, score
Script = Callable[[int], list[Box]]


def person(x: float, y: float, score: float = 0.9, height: float = 80) -> Box:
    """Somebody whose foot stands at (x, y)."""
    return x - 15, y - height, x + 15, y, score


def follow(
    script: Script, frames: int, settings: TrackerSettings | None = None
) -> list[list[TrackView]]:
    """The tracks of each frame."""
    tracker = Tracker(settings or TrackerSettings())
    views = []
    for frame in range(frames):
        boxes = np.array(script(frame), np.float32).reshape(-1, 5)
        views.append(tracker.step(boxes[:, :4], boxes[:, 4]))
    return views


def confirmed(views: list[list[TrackView]]) -> set[int]:
    """Every confirmed track that was ever seen."""
    return {view.track for frame in views for view in frame if view.confirmed}


def count(script: Script, frames: int, line: Line) -> dict[str, int]:
    """What a counter at `line` counts."""
    counter = LineCounter(line)
    counts = {"in": 0, "out": 0}
    for frame, views in enumerate(follow(script, frames)):
        for crossing in counter.step(frame, views):
            counts[crossing.direction] += 1
    return counts


ACROSS = Line((300, 0), (300, 600))  # walking left is "in"


def test_a_track_is_confirmed_after_three_hits() -> None:
    views = follow(lambda f: [person(100 + 5 * f, 300)], 5)
    assert [[v.confirmed for v in frame] for frame in views] == [
        [False],
        [False],
        [True],
        [True],
        [True],
    ]


def test_a_flicker_is_no_object() -> None:
    views = follow(lambda f: [person(100, 300)] if f % 7 == 0 else [], 60)
    assert confirmed(views) == set()


def test_two_people_who_pass_each_other_keep_their_tracks() -> None:
    def script(frame: int) -> list[Box]:
        return [person(100 + 8 * frame, 300), person(500 - 8 * frame, 330)]

    views = follow(script, 50)
    assert confirmed(views) == {1, 2}
    last = {view.track: view.foot[0] for view in views[-1]}
    assert last[1] > 450
    assert last[2] < 150


def test_a_short_occlusion_is_bridged() -> None:
    def script(frame: int) -> list[Box]:
        return [] if 20 <= frame < 32 else [person(100 + 6 * frame, 300)]

    views = follow(script, 60)
    assert confirmed(views) == {1}
    assert views[-1][0].foot[0] == pytest.approx(100 + 6 * 59, abs=8)


def test_a_low_score_continues_a_track_but_begins_none() -> None:
    views = follow(lambda f: [person(100 + 5 * f, 300, 0.9 if f < 10 else 0.2)], 40)
    assert confirmed(views) == {1}
    assert all(views)
    assert confirmed(follow(lambda f: [person(100 + 5 * f, 300, 0.4)], 40)) == set()


def test_who_is_gone_too_long_comes_back_as_another() -> None:
    settings = TrackerSettings(patience=10)
    views = follow(lambda f: [] if 10 <= f < 25 else [person(100, 300)], 40, settings)
    assert len(confirmed(views)) == 2


def test_hidden_feet_do_not_move_the_foot_point() -> None:
    """From frame 15 on somebody stands in front: the box behind ends at the other's head."""

    def script(frame: int) -> list[Box]:
        behind = person(200, 300)
        if frame < 15:
            return [behind]
        return [(*behind[:3], 262.0, 0.8), person(202, 345)]

    views = follow(script, 40)
    foot = next(v.foot for v in views[-1] if v.track == 1)
    assert foot[1] == pytest.approx(300, abs=6)


def test_two_boxes_on_the_same_feet_are_one_person() -> None:
    views = follow(lambda f: [person(100 + 5 * f, 300), person(101 + 5 * f, 302, 0.7, 110)], 20)
    assert confirmed(views) == {1}


@pytest.mark.parametrize(("speed", "expected"), [(-7, (1, 0)), (7, (0, 1))])
def test_each_direction_is_counted(speed: int, expected: tuple[int, int]) -> None:
    start = 500 if speed < 0 else 100
    counts = count(lambda f: [person(start + speed * f, 300)], 60, ACROSS)
    assert (counts["in"], counts["out"]) == expected


def test_a_crossing_behind_an_occlusion_is_counted_once() -> None:
    def script(frame: int) -> list[Box]:
        return [] if 25 <= frame < 40 else [person(100 + 6 * frame, 300)]

    assert count(script, 70, ACROSS) == {"in": 0, "out": 1}


def test_going_back_is_counted_the_other_way() -> None:
    def script(frame: int) -> list[Box]:
        return [person(200 + 6 * min(frame, 80 - frame), 300)]

    assert count(script, 80, ACROSS) == {"in": 1, "out": 1}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_trembling_on_the_line_counts_nothing(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 2.0, (120, 2)).clip(-4, 4)
    counts = count(lambda f: [person(300 + noise[f, 0], 300 + noise[f, 1])], 120, ACROSS)
    assert counts == {"in": 0, "out": 0}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_noisy_walk_with_misses_is_counted_exactly_once(seed: int) -> None:
    rng = np.random.default_rng(seed)
    noise, missed = rng.normal(0, 3.0, (100, 2)), rng.random(100) < 0.2

    def script(frame: int) -> list[Box]:
        if missed[frame]:
            return []
        return [person(100 + 4 * frame + noise[frame, 0], 300 + noise[frame, 1])]

    assert count(script, 100, ACROSS) == {"in": 0, "out": 1}


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.lists(
            st.tuples(*[st.floats(-1e4, 1e4, width=32)] * 4, st.floats(0, 1, width=32)), max_size=6
        ),
        max_size=12,
    )
)
def test_any_boxes_are_borne(frames: list[list[Box]]) -> None:
    tracker = Tracker(TrackerSettings())
    for boxes in frames:
        array = np.array(boxes, np.float32).reshape(-1, 5)
        for view in tracker.step(array[:, :4], array[:, 4]):
            assert np.isfinite([*view.box, *view.foot]).all()
