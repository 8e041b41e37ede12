"""From a snapshot with a machine's labels to one whose accepted labels carry a bound."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from edgefactory.datasets import Label, Snapshot
from edgefactory.datasets.bounds import (
    Bounded,
    BoundSettings,
    bounded,
    calibration_order,
    wrong_labels,
)
from edgefactory.datasets.errors import InputError

from .conftest import ORIGIN, drawn, item, pool, said, true

Pictures = list[tuple[Label, ...]]


def _classified(pictures: int = 900, seed: int = 0) -> tuple[Pictures, Pictures]:
    """Two classes; the machine is wrong only where it is unsure."""
    rng = np.random.default_rng(seed)
    score = rng.random(pictures).round(3)
    wrong = (score < 0.4) & (rng.random(pictures) < 0.5)
    class_ = np.where(rng.random(pictures) < 0.5, "a", "b")
    machine: Pictures = [(said(str(c), float(s)),) for c, s in zip(class_, score, strict=True)]
    people: Pictures = [
        (true({"a": "b", "b": "a"}[str(c)] if w else str(c)),)
        for c, w in zip(class_, wrong, strict=True)
    ]
    return machine, people


def _error(result: Bounded, people: Pictures) -> float:
    """The true share of wrong labels among those that name a bound."""
    by_frame = {item(i, ()).id: labels for i, labels in enumerate(people)}
    wrong = named = 0
    for entry in result.snapshot.items:
        kept = [replace(label, state="queued") for label in entry.labels if label.bound]
        whole = replace(entry, labels=(*kept, *by_frame[entry.id]))
        named += len(kept)
        wrong += sum(wrong_labels(whole, 0.5)) if kept else 0
    return wrong / named if named else 0.0


def test_what_is_sure_is_accepted_and_the_rest_is_queued() -> None:
    machine, people = _classified()
    result = bounded(drawn(machine, people, 250), BoundSettings(per_class=False))
    (bound,) = result.snapshot.bounds
    (group,) = result.groups
    assert result.pictures == 250
    assert (bound.classes, bound.teacher) == (("a", "b"), ORIGIN)
    assert (bound.max_error, bound.confidence) == (0.05, 0.95)
    assert 0.2 < bound.threshold < 0.45
    labels = [label for i in result.snapshot.items if not i.reviewed for label in i.labels]
    named = [label for label in labels if label.bound == bound.id]
    assert len(named) == bound.labels == group.accepted
    assert {label.state for label in named} == {"accepted"}
    assert min(label.score for label in named) >= bound.threshold
    rest = [label for label in labels if label.bound is None]
    assert {label.state for label in rest} == {"queued"}
    assert max(label.score for label in rest) < bound.threshold
    assert len(labels) == group.labels == 650
    assert _error(result, people) <= 0.05


def test_in_reviewed_pictures_only_what_people_said_is_left() -> None:
    machine, people = _classified()
    result = bounded(drawn(machine, people, 250), BoundSettings(per_class=False))
    by_id = {item(i, ()).id: labels for i, labels in enumerate(people)}
    seen = [i for i in result.snapshot.items if i.reviewed]
    assert len(seen) == 250
    assert all(i.labels == by_id[i.id] for i in seen)


def test_each_class_has_its_threshold_and_its_bound() -> None:
    machine, people = _classified()
    result = bounded(drawn(machine, people, 400), BoundSettings(max_error=0.1))
    assert [g.classes for g in result.groups] == [("a",), ("b",)]
    assert [b.classes for b in result.snapshot.bounds] == [("a",), ("b",)]
    for bound in result.snapshot.bounds:
        named = [
            label for i in result.snapshot.items for label in i.labels if label.bound == bound.id
        ]
        assert {label.class_ for label in named} == set(bound.classes)
        assert len(named) == bound.labels


def test_too_few_checked_pictures_accept_nothing_and_say_how_many_more() -> None:
    machine, people = _classified()
    result = bounded(drawn(machine, people, 20), BoundSettings(per_class=False))
    (group,) = result.groups
    assert group.threshold is None
    assert (group.accepted, result.snapshot.bounds) == (0, ())
    states = {label.state for i in result.snapshot.items for label in i.labels if not i.reviewed}
    assert states == {"queued"}
    assert group.needed is not None
    assert 30 <= group.needed <= 200
    assert f"check {group.needed} more pictures" in group.line()
    more = bounded(drawn(machine, people, 20 + 2 * group.needed), BoundSettings(per_class=False))
    assert more.groups[0].threshold is not None


def test_a_machine_that_is_often_wrong_is_never_accepted() -> None:
    machine: Pictures = [(said("a", 0.9),)] * 600
    people: Pictures = [(true("a"),) if i % 4 else (true("b"),) for i in range(600)]
    (group,) = bounded(drawn(machine, people, 200), BoundSettings(per_class=False)).groups
    assert group.threshold is None
    assert group.expected is None
    assert group.wrong > 20


def test_more_tries_and_more_confidence_accept_less() -> None:
    machine, people = _classified()
    given = drawn(machine, people, 150)
    once, often, sure = (
        bounded(given, BoundSettings(0.1, confidence, tries=tries, per_class=False))
        for confidence, tries in ((0.95, 1), (0.95, 100), (0.999, 100))
    )
    accepted = [result.groups[0].accepted for result in (once, often, sure)]
    assert accepted[0] > accepted[1] >= accepted[2]


def test_only_the_beginning_of_the_order_is_a_sample() -> None:
    """People reviewed much, but not what was drawn: nothing is known."""
    machine, people = _classified(300)
    first = calibration_order((item(i, ()).id for i in range(300)), 0)[0]
    items = [
        item(i, m) if item(i, m).id == first else item(i, (*m, *p), True)
        for i, (m, p) in enumerate(zip(machine, people, strict=True))
    ]
    result = bounded(pool(items), BoundSettings(per_class=False))
    assert (result.pictures, result.groups[0].threshold) == (0, None)


def test_a_sample_that_is_not_reviewed_is_refused() -> None:
    machine, people = _classified(60)
    given = drawn(machine, people, 20)
    assert bounded(given, BoundSettings(sample=15)).pictures == 15
    with pytest.raises(InputError, match=r"sample of 30 pictures: only the first 20"):
        bounded(given, BoundSettings(sample=30))


def test_two_teachers_are_refused() -> None:
    other = replace(said("a", 0.5), origin="teacher:" + "2" * 64)
    given = pool([item(0, (said("a", 0.5),)), item(1, (other,))])
    with pytest.raises(InputError, match="2 teachers"):
        bounded(given, BoundSettings())


def test_a_pool_without_a_machines_labels_has_nothing_to_say() -> None:
    given = pool([item(0, (true("a"),), True)])
    assert bounded(given, BoundSettings()) == Bounded(given, (), 1)


@pytest.mark.parametrize("each", [1, 4])
def test_the_statement_is_false_no_more_often_than_said(each: int) -> None:
    """The score says nothing, and just more than allowed is wrong: what is accepted is false."""
    pictures, reviewed = 400, 80
    bad = set(np.random.default_rng(0).permutation(pictures)[: pictures // 10 + 1].tolist())
    scores = np.random.default_rng(1).random((pictures, each))
    boxes = [(10.0 * i, 0.0, 10.0 * i + 9, 9.0) if each > 1 else None for i in range(each)]
    machine: Pictures = [
        tuple(said("a", float(s), b) for s, b in zip(row, boxes, strict=True)) for row in scores
    ]
    people: Pictures = [
        () if i in bad else tuple(true("a", b) for b in boxes) for i in range(pictures)
    ]
    false = 0
    for seed in range(40):
        given: Snapshot = drawn(machine, people, reviewed, seed)
        result = bounded(given, BoundSettings(0.1, 0.8, seed=seed, per_class=False))
        false += _error(result, people) > 0.1
    assert false <= 8
