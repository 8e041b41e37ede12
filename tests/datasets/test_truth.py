"""The truth that ships with the package must make sense by itself, without its clip."""

from __future__ import annotations

from itertools import pairwise, product

import pytest

from edgefactory.datasets.documents import Crossing, Line, Truth, read_truth, shipped_truth

CLIP = "45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf"
Point = tuple[float, float]
Box = tuple[float, float, float, float]


@pytest.fixture(scope="module")
def truth() -> Truth:
    path = shipped_truth(CLIP)
    assert path is not None
    return read_truth(path)


@pytest.fixture(scope="module")
def line(truth: Truth) -> Line:
    assert truth.line is not None
    return truth.line


def foot(box: Box) -> Point:
    """The bottom centre of a box."""
    return (box[0] + box[2]) / 2, box[3]


def cross(origin: Point, towards: Point, point: Point) -> float:
    """Below zero: `point` is left of the ray (image coordinates, y down); above: right."""
    return (towards[0] - origin[0]) * (point[1] - origin[1]) - (towards[1] - origin[1]) * (
        point[0] - origin[0]
    )


def distance(one: Point, other: Point) -> float:
    return float(((one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2) ** 0.5)


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0.0) * max(height, 0.0)
    areas = sum((b[2] - b[0]) * (b[3] - b[1]) for b in (one, other))
    return shared / (areas - shared)


def crosses(line: Line, before: Point, after: Point) -> str | None:
    """The direction in which the step goes over the line's own length, if it does."""
    was, now = (cross(line.start, line.end, p) for p in (before, after))
    ends = cross(before, after, line.start), cross(before, after, line.end)
    if was * now >= 0 or ends[0] * ends[1] >= 0:
        return None
    return "in" if now > 0 else "out"


def test_it_says_what_it_is_about_and_how_it_was_made(truth: Truth) -> None:
    assert (truth.clip.width, truth.clip.height, truth.clip.frames) == (768, 576, 795)
    assert truth.clip.sha256 == CLIP
    assert truth.classes == ("person",)
    assert truth.annotators
    assert truth.how.count(". ") >= 2


def test_its_frames_lie_in_the_held_out_part(truth: Truth) -> None:
    frames = [entry.frame for entry in truth.frames]
    assert frames == list(range(565, 791, 5))
    assert len(frames) >= 30


def test_every_frame_has_people_and_few_are_ignored(truth: Truth) -> None:
    boxes = [box for entry in truth.frames for box in entry.boxes]
    assert all(5 <= len(entry.boxes) <= 10 for entry in truth.frames)
    assert len(boxes) >= 300
    assert sum(box.ignore for box in boxes) <= 0.08 * len(boxes)


def test_the_counts_in_the_prose_are_those_of_the_file(truth: Truth) -> None:
    boxes = [box for entry in truth.frames for box in entry.boxes]
    assert f"{len(boxes)} boxes in all" in truth.how
    assert f"{sum(box.ignore for box in boxes)} boxes are marked ignore" in truth.how


def test_people_are_upright_and_larger_nearer_to_the_camera(truth: Truth) -> None:
    """Perspective: a whole person whose feet are at y is about 10 + 0.26 y high."""
    for entry in truth.frames:
        for x0, y0, x1, y1 in (box.box for box in entry.boxes if not box.ignore):
            assert y1 - y0 >= x1 - x0, (entry.frame, x0)
            assert y1 - y0 >= 30, (entry.frame, x0)
            assert y1 - y0 <= 1.35 * (10 + 0.26 * y1), (entry.frame, x0)


def test_nobody_is_boxed_twice(truth: Truth) -> None:
    for entry in truth.frames:
        boxes = [box.box for box in entry.boxes]
        for index, one in enumerate(boxes):
            assert all(overlap(one, other) < 0.7 for other in boxes[index + 1 :]), entry.frame


def test_people_neither_jump_nor_vanish_inside_the_picture(truth: Truth) -> None:
    """Who is far from the border half a second before or after must be near to where they are."""
    for one, other in pairwise(truth.frames):
        for here, there in ((one, other), (other, one)):
            for box in (b.box for b in here.boxes if b.box[0] > 75 and b.box[2] < 693):
                near = min(distance(foot(box), foot(b.box)) for b in there.boxes)
                assert near <= 75, (here.frame, box)


def test_crossings_are_in_order_and_go_both_ways(truth: Truth) -> None:
    frames = [crossing.frame for crossing in truth.crossings]
    assert frames == sorted(set(frames))
    assert all(560 <= frame < truth.clip.frames for frame in frames)
    assert len(frames) >= 6
    assert {crossing.direction for crossing in truth.crossings} == {"in", "out"}


def test_a_true_box_goes_over_the_line_at_every_crossing(truth: Truth, line: Line) -> None:
    for crossing in truth.crossings:
        assert crossing.direction in steps_around(truth, line, crossing), crossing


def test_nothing_goes_over_the_line_elsewhere(truth: Truth, line: Line) -> None:
    """Each person's nearest next place is on the same side, but for the listed crossings."""
    for before, after in pairwise(truth.frames):
        listed = [c for c in truth.crossings if before.frame - 3 <= c.frame <= after.frame + 3]
        for box in before.boxes:
            then = min((foot(b.box) for b in after.boxes), key=lambda p: distance(p, foot(box.box)))
            direction = crosses(line, foot(box.box), then)
            assert direction is None or direction in [c.direction for c in listed], before.frame


def steps_around(truth: Truth, line: Line, crossing: Crossing) -> set[str | None]:
    """Directions of the short steps over the line between the frames around a crossing."""
    before = max(
        (e for e in truth.frames if e.frame < crossing.frame), key=lambda entry: entry.frame
    )
    after = min(
        (e for e in truth.frames if e.frame >= crossing.frame), key=lambda entry: entry.frame
    )
    pairs = product((foot(b.box) for b in before.boxes), (foot(b.box) for b in after.boxes))
    return {crosses(line, was, now) for was, now in pairs if distance(was, now) <= 75}
