"""Tracks across frames: holes filled, flicker removed, everything else left as it was."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgefactory.datasets.documents import Box, Item
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.tracks import Sighting, TrackSettings, sequences, steadied

TRACKS = TrackSettings()


def at(x: float, y: float = 10.0, score: float = 0.8, class_: str = "person") -> Sighting:
    return Sighting((x, y, x + 20.0, y + 40.0), score, class_)


def test_a_hole_is_filled_in_between_with_the_lower_score() -> None:
    frames = [[at(0)], [at(4)], [], [], [at(16, score=0.5)], [at(20)]]
    found = steadied(frames, TRACKS)
    assert [one.kept for one in found] == [(0,), (0,), (), (), (0,), (0,)]
    (second,), (third,) = found[2].filled, found[3].filled
    assert second == Sighting((8.0, 10.0, 28.0, 50.0), 0.5, "person")
    assert third == Sighting((12.0, 10.0, 32.0, 50.0), 0.5, "person")
    assert not any(found[frame].filled for frame in (0, 1, 4, 5))


@pytest.mark.parametrize(("gap", "filled"), [(0, 0), (2, 0), (3, 3), (4, 3)])
def test_a_hole_longer_than_the_gap_stays(gap: int, filled: int) -> None:
    frames = [[at(0)], [at(1)], [], [], [], [at(5)], [at(6)]]
    found = steadied(frames, TrackSettings(gap=gap))
    assert sum(len(one.filled) for one in found) == filled


def test_a_fast_one_is_expected_where_it_was_going() -> None:
    frames = [[at(0)], [at(10)], [], [at(30)], [at(40)]]  # overlaps nothing across the hole
    assert steadied(frames, TRACKS)[2].filled == (at(20),)


def test_what_was_seen_once_with_little_certainty_is_flicker() -> None:
    steady = [at(0), at(1), at(2), at(3)]
    weak, strong = at(200, score=0.3), at(300, score=0.9)
    frames = [[one] for one in steady]
    frames[1] += [weak, strong]
    assert steadied(frames, TRACKS)[1].kept == (0, 2)


def test_at_the_ends_of_a_sequence_nothing_is_flicker() -> None:
    frames = [[at(0, score=0.1)], [], [], [], [], [at(300, score=0.1)]]
    found = steadied(frames, TRACKS)
    assert (found[0].kept, found[-1].kept) == ((0,), (0,))
    assert steadied([[at(0, score=0.1)]], TRACKS)[0].kept == (0,)


def test_classes_do_not_mix() -> None:
    frames = [[at(0)], [at(1)], [at(2, score=0.2, class_="car")], [at(3)], [at(4)]]
    found = steadied(frames, TRACKS)
    assert found[2].kept == ()
    assert found[2].filled == (at(2),)


def test_two_that_cross_keep_their_own_tracks() -> None:
    left = [at(10.0 * k, 10) for k in range(7)]
    right = [at(60 - 10.0 * k, 30) for k in range(7)]
    frames = [[a, b] for a, b in zip(left, right, strict=True)]
    frames[3] = []
    boxes = sorted(one.box for one in steadied(frames, TRACKS)[3].filled)
    assert boxes == sorted([left[3].box, right[3].box])


@pytest.mark.parametrize(("off", "filled"), [(6, ()), (8, (at(0),))])
def test_nothing_is_filled_where_such_a_box_is_already(
    off: float, filled: tuple[Sighting, ...]
) -> None:
    # The box in the middle is too far off to be the track's; at 6 pixels, not to be the same.
    frames = [[at(0)], [at(0)], [at(off)], [at(0)], [at(0)]]
    assert steadied(frames, TrackSettings(min_iou=0.9))[2].filled == filled


numbers = st.floats(0, 400, width=32)
sizes = st.floats(1, 100, width=32)
sightings = st.builds(
    lambda x, y, w, h, score, class_: Sighting((x, y, x + w, y + h), score, class_),
    numbers,
    numbers,
    sizes,
    sizes,
    st.floats(0, 1),
    st.sampled_from(["person", "car"]),
)
videos = st.lists(st.lists(sightings, max_size=4), max_size=12)
choices = st.builds(TrackSettings, gap=st.integers(0, 5), flicker=st.floats(0, 1))


@given(videos, choices)
@settings(deadline=None, max_examples=60)
def test_only_flicker_goes_and_only_holes_are_filled(
    frames: list[list[Sighting]], chosen: TrackSettings
) -> None:
    found = steadied(frames, chosen)
    assert len(found) == len(frames)
    for frame, verdict in zip(frames, found, strict=True):
        assert list(verdict.kept) == sorted(set(verdict.kept))
        gone = set(range(len(frame))) - set(verdict.kept)
        assert all(frame[index].score < chosen.flicker for index in gone)
        for box in verdict.filled:
            assert inside(box.box, limits(frames))
            assert box.box[0] < box.box[2]
            assert box.box[1] < box.box[3]
    if chosen.gap == 0:
        assert not any(verdict.filled for verdict in found)
    for end in (0, -1):
        if frames:
            assert not found[end].filled
            assert len(found[end].kept) == len(frames[end])


def limits(frames: list[list[Sighting]]) -> Box:
    boxes = [sighting.box for frame in frames for sighting in frame]
    x0, y0 = (min(box[side] for box in boxes) for side in (0, 1))
    x1, y1 = (max(box[side] for box in boxes) for side in (2, 3))
    return x0, y0, x1, y1


def inside(box: Box, limit: Box, slack: float = 1e-3) -> bool:
    low = all(box[side] >= limit[side] - slack for side in (0, 1))
    return low and all(box[side] <= limit[side] + slack for side in (2, 3))


def item(name: str, source: str, frame: int | None, seconds: float) -> Item:
    digest = name.encode().hex().rjust(64, "0")
    return Item(
        digest, f"images/{digest}.jpg", 64, 48, source, frame, seconds, "train", (), name=name
    )


def test_sequences_are_by_source_and_time_and_end_where_frames_are_missing() -> None:
    items = [
        item("c", "north", 20, 2.0),
        item("a", "north", 0, 0.0),
        item("b", "north", 10, 1.0),
        item("d", "north", 40, 4.0),
        item("e", "south", 0, 0.5),
        item("f", "folder", None, 0.0),
    ]
    found = sequences(items, TRACKS)
    assert [[one.name for one in part] for part in found] == [["a", "b", "c"], ["d"], ["e"]]


@pytest.mark.parametrize("wrong", [{"gap": -1}, {"flicker": 1.5}, {"min_iou": 0.0}, {"seconds": 0}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="tracks: expected"):
        TrackSettings(**wrong)  # type: ignore[arg-type]  # what the command line may be given
