"""From what a teacher saw to labels: by score, by time, and by what people have said already.

Pure: no picture is read and no model run here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from edgefactory.datasets.bounds import is_machines
from edgefactory.datasets.documents import Box, Item, Label, Sha256, Snapshot
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.overlap import largest_iou
from edgefactory.datasets.tracks import Sighting, Steadied, TrackSettings, sequences, steadied

_SAME_IOU: Final = 0.5  # from which on two boxes of a class are about the same thing


@dataclass(frozen=True, slots=True)
class VerdictSettings:
    """What becomes of a label, by its score and by its neighbours in time."""

    accept: float = 0.4  # 0..1, labels from this score on are accepted
    queue: float = 0.2  # 0..1, from this score on they are queued for review; below: dropped
    tracks: TrackSettings | None = field(default_factory=TrackSettings)  # None: no tracks

    def __post_init__(self) -> None:
        if not 0 < self.queue <= self.accept <= 1:
            raise InputError("label auto: expected 0 < queue <= accept <= 1")


class Seen(Struct, frozen=True, forbid_unknown_fields=True):
    """What a teacher found in one picture, best first: class indices, scores, boxes in pixels.

    A classifier gives its best class, and no box.
    """

    id: Sha256
    scores: tuple[float, ...]
    classes: tuple[int, ...]
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What teacher and time say about one picture. `filled` of the labels stand where a track had
    a hole; `flicker` boxes were dropped because no neighbouring frame confirms them."""

    labels: tuple[Label, ...]
    filled: int = 0
    flicker: int = 0


def verdicts(
    snapshot: Snapshot,
    seen: Mapping[str, Seen],
    names: Sequence[str],
    origin: str,
    settings: VerdictSettings,
) -> dict[str, Verdict]:
    """What teacher and time say about each picture of the snapshot, by its id.

    `names` are the teacher's classes; those that the snapshot does not have are left out. What
    people say has no part in it, so the verdicts can be compared with it.
    """
    known = frozenset(snapshot.classes)
    if snapshot.task == "classification":
        return {
            item.id: Verdict(_classified(seen[item.id], names, known, origin, settings))
            for item in snapshot.items
        }
    sightings = {
        item.id: _sightings(seen[item.id], names, known, settings.queue) for item in snapshot.items
    }
    steady: dict[str, Steadied] = {}
    if settings.tracks is not None:
        for items in sequences(snapshot.items, settings.tracks):
            found = steadied([sightings[item.id] for item in items], settings.tracks)
            steady.update(zip((item.id for item in items), found, strict=True))
    return {
        key: _judged(found, steady.get(key), origin, settings) for key, found in sightings.items()
    }


def with_people(item: Item, verdict: Verdict) -> Item:
    """The item with people's labels, and the machine's where people have said nothing yet.

    Where people have looked at the whole picture, theirs is all. Whatever a machine said before
    is gone, and with it any bound on it.
    """
    if item.reviewed:
        return _with(item, item.labels)
    kept = [label for label in item.labels if not is_machines(label)]
    return _with(item, (*kept, *(one for one in verdict.labels if not _is_said(one, kept))))


def beside_people(item: Item, verdict: Verdict) -> Item:
    """The item with all that the machine says beside all that people say, to compare them.

    Raises `InputError` where people have spoken of some of the machine's labels only: which of
    them are right would then not be the chance that a bound rests on.
    """
    kept = [label for label in item.labels if not is_machines(label)]
    if not item.reviewed and any(_is_said(label, kept) for label in verdict.labels):
        raise InputError(
            f"picture {item.name or item.id[:12]} has labels of people, or imported ones, but is "
            "not reviewed as a whole: no bound can be stated; review it, or leave the bound out"
        )
    return _with(item, (*kept, *verdict.labels))


def reviewed_tests(snapshot: Snapshot) -> Snapshot:
    """The snapshot with its test pictures marked as reviewed, where people labelled that split."""
    if snapshot.test_labels != "human":
        return snapshot
    return replace(
        snapshot,
        items=tuple(
            replace(item, reviewed=True) if item.split == "test" else item
            for item in snapshot.items
        ),
    )


def _with(item: Item, labels: Iterable[Label]) -> Item:
    return replace(item, labels=tuple(replace(label, bound=None) for label in labels))


def _is_said(label: Label, kept: Iterable[Label]) -> bool:
    """Whether people, or an import, have said yes or no to what `label` says."""
    if label.box is None:
        return any(one.class_ == label.class_ or one.state != "rejected" for one in kept)
    same = [one.box for one in kept if one.class_ == label.class_ and one.box is not None]
    return largest_iou(label.box, same) >= _SAME_IOU


def _classified(
    seen: Seen, names: Sequence[str], known: frozenset[str], origin: str, settings: VerdictSettings
) -> tuple[Label, ...]:
    return tuple(
        Label(names[index], None, origin, round(score, 4), _state(score, settings))
        for score, index in zip(seen.scores, seen.classes, strict=True)
        if score >= settings.queue and names[index] in known
    )


def _sightings(
    seen: Seen, names: Sequence[str], known: frozenset[str], least: float
) -> tuple[Sighting, ...]:
    return tuple(
        Sighting(box, score, names[index])
        for box, score, index in zip(seen.boxes, seen.scores, seen.classes, strict=True)
        if score >= least and names[index] in known
    )


def _judged(
    found: Sequence[Sighting], steady: Steadied | None, origin: str, settings: VerdictSettings
) -> Verdict:
    """A filled box was seen by nobody: it is queued, with the lowest score that anything has."""
    if steady is None:
        steady = Steadied(tuple(range(len(found))), ())
    labels = [_label(found[index], origin, settings) for index in steady.kept]
    filled = [_filled(box, origin, settings) for box in steady.filled]
    return Verdict(
        tuple(label for label in (*labels, *filled) if _has_area(label)),
        filled=sum(map(_has_area, filled)),
        flicker=len(found) - len(steady.kept),
    )


def _label(sighting: Sighting, origin: str, settings: VerdictSettings) -> Label:
    state = _state(sighting.score, settings)
    return Label(sighting.class_, _rounded(sighting.box), origin, round(sighting.score, 4), state)


def _filled(sighting: Sighting, origin: str, settings: VerdictSettings) -> Label:
    return Label(sighting.class_, _rounded(sighting.box), origin, settings.queue, "queued")


def _state(score: float, settings: VerdictSettings) -> Literal["accepted", "queued"]:
    return "accepted" if score >= settings.accept else "queued"


def _rounded(box: Box) -> Box:
    x0, y0, x1, y1 = (round(value, 2) for value in box)
    return x0, y0, x1, y1


def _has_area(label: Label) -> bool:
    assert label.box is not None
    x0, y0, x1, y1 = label.box
    return x0 < x1 and y0 < y1
