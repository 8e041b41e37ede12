"""From people's answers to a new snapshot: what stands, what is in conflict, what was taken back.

One answer stands, and so do several that say the same (the newest is taken). Where people differ,
the picture stays as it was until they agree, or until one answer is starred (Label Studio's
"ground truth"). Where all answers were deleted since, the picture waits for a person again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import msgspec

from edgefactory.datasets.carrying import pictures_of, write_snapshot
from edgefactory.datasets.documents import Item, Label, Progress, Snapshot
from edgefactory.datasets.manifest import header_of, read_manifest
from edgefactory.datasets.statements import without_broken_bounds
from edgefactory.datasets.studio.agreement import Agreement, Seen, agreement, distance
from edgefactory.datasets.studio.answers import (
    Answers,
    Opinion,
    fetch_answers,
    opinions,
    remember,
)
from edgefactory.datasets.studio.client import Project, Studio


@dataclass(frozen=True)
class Conflict:
    """People who differ about one picture; `f` is their agreement about it, 0..1."""

    item: str
    people: tuple[str, ...]
    f: float


@dataclass(frozen=True)
class Pulled:
    """What a pull came to, in pictures; `others` are answered, but not of this snapshot."""

    digest: str
    reviewed: int
    new: int
    edited: int
    deleted: int
    others: int
    conflicts: tuple[Conflict, ...]
    agreement: Agreement


@dataclass(frozen=True)
class Judged:
    """Everybody's opinions on the items of one snapshot that have any."""

    opinions: Mapping[str, Sequence[Opinion]]
    conflicts: tuple[Conflict, ...]
    agreement: Agreement


def pull(studio: Studio, project: Project, folder: Path, out: Path, progress: Progress) -> Pulled:
    """Write the snapshot in `folder` with what people answered as a new one to `out`.

    Labels of a picture that was answered become `human:<who>`, `reviewed`; what is to be ignored
    stays. When all of the test split was reviewed, its labels are human from then on.
    """
    before = read_manifest(folder)
    answers = fetch_answers(studio, project, progress)
    judged = judge(before, answers)
    after = apply(before, judged, answers.memory.withdrawn)
    progress(0, 0, "writing the snapshot")
    header, items = without_broken_bounds(header_of(after), lambda: iter(after.items))
    digest = write_snapshot(out, header, items(), pictures_of(folder))
    remember(studio, answers)
    known = {item.id for item in before.items}
    answered = {sample for sample, given in answers.by_sample().items() if given}
    return Pulled(
        digest,
        len(judged.opinions) - len(judged.conflicts),
        len(answers.new & known),
        len(answers.edited & known),
        len(answers.deleted & known),
        len(answered - known),
        judged.conflicts,
        judged.agreement,
    )


def judge(snapshot: Snapshot, answers: Answers) -> Judged:
    """Who says what of the snapshot's pictures, and how far they agree."""
    by_sample = answers.by_sample()
    found: dict[str, list[Opinion]] = {}
    conflicts, shared = [], []
    for item in snapshot.items:
        given = [(answers.who(answer), answer) for answer in by_sample.get(item.id, ())]
        said = opinions(item, given)
        if not said:
            continue
        found[item.id] = said
        seen = {opinion.who: _seen(item, opinion.labels) for opinion in said}
        shared.append(seen)
        far = max((distance(a, b) for a, b in combinations(seen.values(), 2)), default=0.0)
        if far and not any(opinion.starred for opinion in said):
            conflicts.append(Conflict(item.id, tuple(seen), 1 - far))
    return Judged(found, tuple(conflicts), agreement(shared))


def apply(snapshot: Snapshot, judged: Judged, withdrawn: Mapping[str, Sequence[str]]) -> Snapshot:
    """The snapshot with the opinions that stand, and without those that were taken back."""
    open_ones = {conflict.item for conflict in judged.conflicts}
    items = []
    for item in snapshot.items:
        said = judged.opinions.get(item.id, ())
        if said and item.id not in open_ones:
            items.append(_reviewed(item, said))
        elif item.id in open_ones:
            items.append(_reopened(item, {opinion.who for opinion in said}))
        else:
            items.append(_reopened(item, set(withdrawn.get(item.id, ()))))
    test = [item for item in items if item.split == "test"]
    human = bool(test) and all(item.reviewed for item in test)
    return msgspec.structs.replace(
        snapshot,
        items=tuple(items),
        test_labels="human" if human else snapshot.test_labels,
    )


def _reviewed(item: Item, said: Sequence[Opinion]) -> Item:
    stands = max(said, key=lambda opinion: (opinion.starred, opinion.updated_at))
    ignored = tuple(label for label in item.labels if label.ignore)
    return msgspec.structs.replace(item, labels=stands.labels + ignored, reviewed=True)


def _reopened(item: Item, people: set[str]) -> Item:
    """The item as waiting for a person again, if all that people said of it is by `people`."""
    origins = {label.origin for label in item.labels if label.state == "reviewed"}
    if not people or not item.reviewed or not origins <= {f"human:{who}" for who in people}:
        return item
    labels = tuple(_queued(label) for label in item.labels)
    return msgspec.structs.replace(item, labels=labels, reviewed=False)


def _queued(label: Label) -> Label:
    if label.state != "reviewed":
        return label
    return msgspec.structs.replace(label, state="queued", bound=None)


def _seen(item: Item, labels: Sequence[Label]) -> Seen:
    """Labels with their boxes in shares of the picture."""
    sides = (item.width, item.height, item.width, item.height)
    found = []
    for label in labels:
        box = label.box
        if box is not None:
            x0, y0, x1, y1 = (edge / side for edge, side in zip(box, sides, strict=True))
            box = (x0, y0, x1, y1)
        found.append((label.class_, box))
    return tuple(found)
