"""Judging boxes, choosing pictures, cropping them."""

from hypothesis import given, settings
from hypothesis import strategies as st

from edgefactory.pipelines.report.views import (
    Corners,
    FoundBox,
    Frame,
    Mark,
    TrueBox,
    choose,
    crop,
    errors,
    judge,
    trade,
)

HERE: Corners = (10, 10, 30, 50)
THERE: Corners = (100, 10, 120, 50)


def kinds(marks: list[Mark]) -> list[str]:
    """What the marks mean, sorted."""
    return sorted(m.kind for m in marks)


def test_a_box_that_overlaps_by_half_is_a_hit() -> None:
    marks = judge([TrueBox(HERE, False)], [FoundBox((11, 11, 31, 51), 0.9)], 0.5)
    assert kinds(marks) == ["hit"]


def test_a_true_box_is_hit_once() -> None:
    found = [FoundBox(HERE, 0.9), FoundBox((11, 11, 31, 51), 0.8)]
    assert kinds(judge([TrueBox(HERE, False)], found, 0.5)) == ["false", "hit"]


def test_below_the_threshold_nothing_is_found() -> None:
    assert kinds(judge([TrueBox(HERE, False)], [FoundBox(HERE, 0.4)], 0.5)) == ["miss"]


def test_an_ignored_region_asks_for_nothing_and_forgives() -> None:
    region = TrueBox((0, 0, 60, 60), True)
    assert judge([region], [FoundBox(HERE, 0.9)], 0.5) == []
    assert kinds(judge([region], [FoundBox(THERE, 0.9)], 0.5)) == ["false"]


def test_pictures_are_chosen_by_rule_and_only_once() -> None:
    truth = (TrueBox(HERE, False), TrueBox(THERE, False))
    hit = tuple(FoundBox(t.corners, 0.9) for t in truth)
    frames = [
        Frame("1", "a.jpg", truth, {"ours": hit, "teacher": hit}),
        Frame("2", "b.jpg", truth, {"ours": hit[:1], "teacher": hit}),
        Frame("3", "c.jpg", truth, {"ours": hit, "teacher": ()}),
    ]
    chosen = choose(frames, "ours", "teacher", {"ours": 0.5, "teacher": 0.5})
    assert [c.frame.key for c in chosen] == ["2", "3", "1"]
    assert errors(judge(truth, hit[:1], 0.5)) == 1


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(st.integers(40, 800), st.integers(40, 600)),
    st.lists(st.tuples(st.integers(0, 700), st.integers(0, 500)), max_size=8),
)
def test_a_crop_lies_in_the_picture(size: tuple[int, int], corners: list[tuple[int, int]]) -> None:
    marks = [Mark((x, y, x + 20, y + 40), "hit") for x, y in corners]
    x0, y0, width, height = crop(marks, size, (256, 288))
    assert 0 <= x0 <= x0 + width <= size[0]
    assert 0 <= y0 <= y0 + height <= size[1]
    assert (width, height) == (min(256, size[0]), min(288, size[1]))


def test_a_crop_prefers_errors() -> None:
    many = [Mark((x, 10, x + 20, 50), "hit") for x in (10, 40)]
    x0, *_ = crop([*many, Mark((600, 10, 620, 50), "miss")], (768, 576), (200, 200))
    assert x0 >= 420


def test_precision_and_recall_follow_the_threshold() -> None:
    truth = (TrueBox(HERE, False), TrueBox(THERE, False), TrueBox((200, 0, 300, 99), True))
    found = (FoundBox(HERE, 0.9), FoundBox((50, 10, 70, 50), 0.7), FoundBox(THERE, 0.3))
    curve = trade([Frame("1", "a.jpg", truth, {"ours": found})], "ours", 0.5)
    assert curve is not None
    assert curve.recall == (0.5, 0.5, 1.0)
    assert curve.precision == (1.0, 0.5, 2 / 3)
    assert curve.at == (0.5, 0.5)
    assert curve.false_a_picture == 1


def test_without_decisions_there_is_no_curve() -> None:
    assert trade([Frame("1", "a.jpg", (TrueBox(HERE, False),), {"ours": ()})], "ours", 0.5) is None
