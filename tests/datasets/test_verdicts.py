"""From what a teacher saw to labels: scores, time, and what people have said already."""

from __future__ import annotations

import pytest

from edgefactory.datasets.documents import Box, Item, Label, Labeller, Snapshot, Split, State, Task
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.verdicts import (
    Seen,
    Verdict,
    VerdictSettings,
    beside_people,
    reviewed_tests,
    verdicts,
    with_people,
)

ORIGIN = "teacher:abc"
BOX: Box = (10.0, 10.0, 30.0, 40.0)
NEAR: Box = (11.0, 10.0, 31.0, 40.0)
FAR: Box = (40.0, 10.0, 60.0, 40.0)
SETTINGS = VerdictSettings(accept=0.6, queue=0.3)


def label(
    box: Box | None = BOX,
    origin: str = ORIGIN,
    state: State = "accepted",
    class_: str = "person",
    bound: str | None = None,
) -> Label:
    return Label(class_, box, origin, 0.9, state, bound=bound)


def item(*labels: Label, key: int = 0, split: Split = "train", reviewed: bool = False) -> Item:
    digest = f"{key:064x}"
    return Item(
        digest, f"images/{digest}.jpg", 64, 48, "cam", key, key / 10, split, labels, None, reviewed
    )


def pool(*items: Item, test_labels: Labeller = "teacher") -> Snapshot:
    whole = any(one.box is None for each in items for one in each.labels)
    task: Task = "classification" if whole else "detection"
    return Snapshot("x", task, ("person", "car"), test_labels, None, items)


def seen(one: Item, *found: tuple[Box, float, int]) -> Seen:
    boxes, scores, classes = zip(*found, strict=True) if found else ((), (), ())
    return Seen(one.id, tuple(scores), tuple(classes), tuple(boxes))


def judge(snapshot: Snapshot, *found: Seen, names: tuple[str, ...] = ("person",)) -> list[Verdict]:
    by_id = {one.id: one for one in found}
    return list(verdicts(snapshot, by_id, names, ORIGIN, SETTINGS).values())


def test_scores_decide_about_the_state() -> None:
    one = item()
    (verdict,) = judge(pool(one), seen(one, (BOX, 0.61239, 0), (FAR, 0.3, 0), (NEAR, 0.29, 0)))
    assert verdict.labels == (
        Label("person", BOX, ORIGIN, 0.6124, "accepted"),
        Label("person", FAR, ORIGIN, 0.3, "queued"),
    )


def test_classes_are_those_that_teacher_and_snapshot_share() -> None:
    one = item()
    names = ("dog", "car")
    (verdict,) = judge(pool(one), seen(one, (BOX, 0.9, 0), (FAR, 0.9, 1)), names=names)
    assert [found.class_ for found in verdict.labels] == ["car"]


def test_a_box_that_rounding_takes_away_is_no_label() -> None:
    one = item()
    (verdict,) = judge(pool(one), seen(one, ((5.0, 5.0, 5.001, 9.0), 0.9, 0)))
    assert verdict == Verdict(())


def test_a_filled_box_is_queued_and_flicker_is_dropped() -> None:
    items = [item(key=key) for key in range(4)]
    found = [
        seen(items[0], (BOX, 0.9, 0)),
        seen(items[1], (FAR, 0.35, 0)),
        seen(items[2], (BOX, 0.9, 0)),
        seen(items[3], (BOX, 0.9, 0)),
    ]
    gap = judge(pool(*items), *found)[1]
    assert gap == Verdict((Label("person", BOX, ORIGIN, 0.3, "queued"),), filled=1, flicker=1)
    alone = VerdictSettings(accept=0.6, queue=0.3, tracks=None)
    still = verdicts(pool(*items), {one.id: one for one in found}, ("person",), ORIGIN, alone)
    assert still[items[1].id] == Verdict((Label("person", FAR, ORIGIN, 0.35, "queued"),))


def test_a_classifier_labels_the_picture() -> None:
    one = item(label(None, "imported:x"))
    (verdict,) = judge(pool(one), Seen(one.id, (0.7,), (1,)), names=("person", "car"))
    assert verdict.labels == (Label("car", None, ORIGIN, 0.7, "accepted"),)


def test_what_a_machine_said_before_is_replaced() -> None:
    before = item(label(FAR), label(FAR, "teacher:old", "queued", bound="0" * 16))
    assert with_people(before, Verdict((label(),))).labels == (label(),)


@pytest.mark.parametrize(
    ("said", "added"),
    [
        (label(NEAR, "human:ann", "reviewed"), False),
        (label(NEAR, "imported:coco"), False),
        (label(NEAR, ORIGIN, "rejected"), False),  # a person said no to just this
        (label(FAR, "human:ann", "reviewed"), True),
        (label(NEAR, "human:ann", "reviewed", class_="car"), True),
    ],
)
def test_what_people_said_stays_and_is_not_said_again(said: Label, added: bool) -> None:
    found = with_people(item(said), Verdict((label(),)))
    assert found.labels == ((said, label()) if added else (said,))


@pytest.mark.parametrize(
    ("said", "added"),
    [
        (label(None, "human:ann", "reviewed", "car"), False),
        (label(None, ORIGIN, "rejected"), False),
        (label(None, ORIGIN, "rejected", "car"), True),
    ],
)
def test_a_picture_that_people_named_gets_no_second_name(said: Label, added: bool) -> None:
    found = with_people(item(said), Verdict((label(None),)))
    assert found.labels == ((said, label(None)) if added else (said,))


def test_a_reviewed_picture_is_left_alone_but_for_its_bounds() -> None:
    mine = label(FAR, "human:ann", "reviewed")
    before = item(mine, label(bound="0" * 16), reviewed=True)
    assert with_people(before, Verdict((label(NEAR),))).labels == (mine, label())


def test_for_a_bound_the_machine_speaks_beside_people() -> None:
    mine = label(NEAR, "human:ann", "reviewed")
    checked = item(mine, label(FAR), reviewed=True)
    assert beside_people(checked, Verdict((label(),))).labels == (mine, label())
    unseen = item(label(FAR, "teacher:old"))
    assert beside_people(unseen, Verdict((label(),))).labels == (label(),)
    with pytest.raises(InputError, match=r"000000000000 has labels of people.*no bound"):
        beside_people(item(mine), Verdict((label(),)))


def test_a_test_split_of_people_counts_as_reviewed() -> None:
    items = (item(key=1, split="test"), item(key=2))
    found = reviewed_tests(pool(*items, test_labels="human"))
    assert [one.reviewed for one in found.items] == [True, False]
    assert not any(one.reviewed for one in reviewed_tests(pool(*items)).items)


def test_thresholds_that_make_no_sense_are_refused() -> None:
    with pytest.raises(InputError, match="0 < queue <= accept <= 1"):
        VerdictSettings(accept=0.2, queue=0.3)
