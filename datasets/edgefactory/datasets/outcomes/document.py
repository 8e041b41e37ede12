"""`outcomes.json`: what models decided on each picture of a test split, as far as figures need it.

docs/formats/outcomes.md says what each key means; a test holds it to these structs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from edgefactory.datasets.documents import (
    Count,
    Labeller,
    Name,
    Sha256,
    Share,
    Task,
    read_document,
)
from edgefactory.datasets.errors import InputError


class Shown(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A picture of the test split; the keys are those of the snapshot's item."""

    id: Sha256
    source: Name
    captured_at: float
    frame: Count | None = None


class Boxes(Struct, frozen=True, forbid_unknown_fields=True):
    """Detections of one class by falling score, one place a detection in all three: the picture's
    number, the score, and whether it found a box of the truth (IoU 0.5, COCO's matching). What lies
    on truth to be ignored is not here."""

    picture: tuple[Count, ...]
    score: tuple[Share, ...]
    right: tuple[bool, ...]


class Answered(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What one model said: `boxes` by class, or in `said` the most probable class a picture.

    `precision` and the digests are those of what was executed, as in the evidence.
    """

    subject: Name
    file_sha256: Sha256
    files_sha256: tuple[Sha256, ...]
    engine: str
    precision: str
    lowest_score: Share = 0.0
    boxes: dict[str, Boxes] = {}
    said: tuple[Count, ...] = ()


class Outcomes(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What `subjects` decided on `pictures`.

    `wanted` are the boxes to be found by class, one number a picture; `targets` the true class a
    picture. `captured` is the oldest and newest picture of the whole snapshot, in seconds since
    1970; None where the snapshot does not know.
    """

    schema: Literal["outcomes/1"]
    task: Task
    classes: tuple[Name, ...]
    snapshot_sha256: Sha256
    labels: Labeller
    pictures: tuple[Shown, ...]
    subjects: tuple[Answered, ...]
    wanted: dict[str, tuple[Count, ...]] = {}
    targets: tuple[Count, ...] = ()
    captured: tuple[float, float] | None = None

    def subject(self, name: str, engine: str, precision: str) -> Answered | None:
        """The answers of that model on that engine, if they are here."""
        key = (name, engine, precision)
        return next((s for s in self.subjects if (s.subject, s.engine, s.precision) == key), None)


def encode_outcomes(found: Outcomes) -> bytes:
    """The one byte form, on one line: a list of thousands would else be as many lines."""
    return msgspec.json.encode(found, order="deterministic") + b"\n"


def parse_outcomes(data: bytes, where: str) -> Outcomes:
    """The outcomes in `data`; `where` names it. Raises InputError as `read_outcomes`."""
    try:
        found = msgspec.json.decode(data, type=Outcomes)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{where} is not valid outcomes: {error}") from error
    check_outcomes(found, where)
    return found


def read_outcomes(path: Path) -> Outcomes:
    """The outcomes at `path`. Raises MissingError; InputError when they contradict themselves."""
    found = read_document(path, Outcomes)
    check_outcomes(found, str(path))
    return found


def check_outcomes(found: Outcomes, where: str) -> None:
    """Raise InputError unless every list is as long as it must be, and every number in range."""
    reason = next(_reasons(found), None)
    if reason:
        raise InputError(f"{where}: {reason}; make the outcomes again")


def _reasons(found: Outcomes) -> Iterator[str]:
    count, classes = len(found.pictures), len(found.classes)
    truths = found.wanted if found.task == "detection" else {"targets": found.targets}
    for name, values in truths.items():
        if len(values) != count:
            yield f"{name} has {len(values)} values for {count} pictures"
    if not truths or not count:
        yield "it holds no picture with a truth"
    if max(found.targets, default=0) >= max(classes, 1):
        yield f"a target is not one of its {classes} classes"
    for one in found.subjects:
        yield from (f"{one.subject}: {reason}" for reason in _contradictions(one, found))


def _contradictions(one: Answered, found: Outcomes) -> Iterator[str]:
    count = len(found.pictures)
    if found.task == "classification":
        if len(one.said) != count:
            yield f"it said {len(one.said)} classes of {count} pictures"
        return
    if set(one.boxes) != set(found.wanted):
        yield f"it has boxes of {sorted(one.boxes)}, wanted are {sorted(found.wanted)}"
    for name, boxes in one.boxes.items():
        if not len(boxes.picture) == len(boxes.score) == len(boxes.right):
            yield f"its lists of {name} differ in length"
        if max(boxes.picture, default=0) >= count:
            yield f"a box of {name} is in no picture"
        if any(a < b for a, b in zip(boxes.score, boxes.score[1:], strict=False)):
            yield f"its scores of {name} do not fall"
