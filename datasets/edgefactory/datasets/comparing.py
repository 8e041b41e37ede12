"""What two snapshots differ in: pictures, splits, labels.

Both manifests are read side by side. A picture that one of them has and the other has not yet is
remembered by its id and the place of its line, so memory grows with the differences and with how
far the order differs, not with the labels. Only lines that differ are parsed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from edgefactory.datasets.documents import Header, Progress
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.label_changes import KINDS, Kind, LabelChange, label_changes
from edgefactory.datasets.lines import Lines, Row

_REPORT_EVERY: Final = 16_384  # lines
_MB: Final = 2**20


@dataclass(frozen=True, slots=True)
class PictureChange:
    """One picture of the listing; `what` holds a short text for each thing that is different."""

    id: str
    name: str | None
    what: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """How snapshot B differs from A. All counts are pictures, except those of `labels`."""

    header: tuple[str, ...]  # the header's keys whose values differ
    same: int
    added: dict[str, int]  # by split
    removed: dict[str, int]
    moved: dict[str, int]  # by "from -> to"
    relabelled: int
    labels: dict[str, dict[Kind, int]]  # by class and kind of change
    classes: dict[str, int]  # labels by "old class -> new class"
    details: int  # source, time, name or the mark `reviewed` differ
    changed: int  # pictures that are in both, and differ
    listed: tuple[PictureChange, ...]
    unlisted: int

    @property
    def none(self) -> bool:
        """Whether the two say the same."""
        return not (self.header or self.added or self.removed or self.changed)


def compare(old: Path, new: Path, limit: int = 20, progress: Progress | None = None) -> Difference:
    """Compare the snapshots in the folders `old` and `new`; at most `limit` pictures are listed.

    Raises `MissingError` when one is not there, `InputError` when one is not a snapshot or has a
    picture twice.
    """
    report = progress or (lambda _done, _total, _text: None)
    with Lines(old) as before, Lines(new) as after:
        tally = _Tally(limit)
        sides = (_Side(before), _Side(after))
        _read_both(sides, tally, report)
        for counts, side, word in zip(
            (tally.removed, tally.added), sides, ("removed", "added"), strict=True
        ):
            for row in side.left():
                counts[row.split] += 1
                tally.list(row, (f"{word}: {row.split}",))
        return tally.difference(_header_changes(before.header, after.header))


class _Side:
    """One of the two manifests, and where its lines begin that have not met their partner."""

    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self.waiting: dict[bytes, int] = {}

    def wait(self, id_: bytes, offset: int) -> None:
        if id_ in self.waiting:
            raise InputError(f"{self.lines.path}: two items have the id {id_.hex()[:12]}")
        self.waiting[id_] = offset

    def taken(self, id_: bytes) -> bytes | None:
        """The waiting line of that picture, which then waits no longer."""
        offset = self.waiting.pop(id_, None)
        return None if offset is None else self.lines.at(offset)

    def left(self) -> Iterator[Row]:
        for offset in self.waiting.values():
            yield self.lines.row(self.lines.at(offset))


def _read_both(sides: tuple[_Side, _Side], tally: _Tally, report: Progress) -> None:
    """Read the two side by side; what has no partner in the other is left waiting."""
    before, after = (side.lines for side in sides)
    total, turns = (before.size + after.size) // _MB, 0
    lines_a, lines_b = before.each(), after.each()
    a, b = next(lines_a, None), next(lines_b, None)
    while a or b:
        if turns % _REPORT_EVERY == 0:
            report(sum(line[0] for line in (a, b) if line) // _MB, total, "comparing (MB)")
        turns += 1
        done_a = done_b = True
        if a and b and a[1] == b[1]:
            tally.same += 1
        elif a and b and Lines.of_one_picture(a[1], b[1]):
            tally.pair(before.row(a[1]), after.row(b[1]))
        else:
            done_a, done_b = _meet(a, b, sides, tally)
        a = next(lines_a, None) if done_a else a
        b = next(lines_b, None) if done_b else b


def _meet(
    a: tuple[int, bytes] | None,
    b: tuple[int, bytes] | None,
    sides: tuple[_Side, _Side],
    tally: _Tally,
) -> tuple[bool, bool]:
    """Bring the lines `a` and `b` together with what was read before; which are done with.

    A line whose partner was waiting is done with alone: its manifest is behind, and reads on until
    both are at the same picture again. Lines that have no partner so far wait for theirs.
    """
    first, second = sides
    id_a = first.lines.id_of(a[1]) if a else b""
    id_b = second.lines.id_of(b[1]) if b else b""
    if a and b and id_a == id_b:
        _pair(a[1], b[1], sides, tally)
        return True, True
    if a and (partner := second.taken(id_a)) is not None:
        _pair(a[1], partner, sides, tally)
        return True, False
    if b and (partner := first.taken(id_b)) is not None:
        _pair(partner, b[1], sides, tally)
        return False, True
    if a:
        first.wait(id_a, a[0])
    if b:
        second.wait(id_b, b[0])
    return True, True


def _pair(a: bytes, b: bytes, sides: tuple[_Side, _Side], tally: _Tally) -> None:
    if a == b:
        tally.same += 1
    else:
        tally.pair(sides[0].lines.row(a), sides[1].lines.row(b))


@dataclass
class _Tally:
    """The counts, while they grow."""

    limit: int
    same: int = 0
    changed: int = 0
    relabelled: int = 0
    details: int = 0
    added: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)
    moved: Counter[str] = field(default_factory=Counter)
    changes: Counter[LabelChange] = field(default_factory=Counter)
    listed: list[PictureChange] = field(default_factory=list)
    unlisted: int = 0

    def pair(self, old: Row, new: Row) -> None:
        """Count how one picture changed."""
        changes = label_changes(old.labels, new.labels) if old.labels != new.labels else []
        moved = old.split != new.split
        details = (
            old.name != new.name
            or old.reviewed != new.reviewed
            or old.captured_at != new.captured_at
            or old.source != new.source
            or old.frame != new.frame
            or old.file != new.file
        )
        if not (changes or moved or details):
            self.same += 1  # written differently, or its labels in another order
            return
        self.changed += 1
        self.relabelled += bool(changes)
        self.details += details
        if moved:
            self.moved[f"{old.split} -> {new.split}"] += 1
        self.changes.update(changes)
        if len(self.listed) < self.limit:
            self.list(new, _words(old, new, changes, details))
        else:
            self.unlisted += 1

    def list(self, row: Row, what: tuple[str, ...]) -> None:
        """Put a picture into the listing, or count it where that is full."""
        if len(self.listed) < self.limit:
            self.listed.append(PictureChange(row.id, row.name, what))
        else:
            self.unlisted += 1

    def difference(self, header: tuple[str, ...]) -> Difference:
        """What the counts came to."""
        labels: dict[str, dict[Kind, int]] = {}
        classes: Counter[str] = Counter()
        for change in sorted(self.changes, key=lambda one: (one.class_, KINDS.index(one.kind))):
            kinds, count = labels.setdefault(change.class_, {}), self.changes[change]
            kinds[change.kind] = kinds.get(change.kind, 0) + count
            if change.became is not None:
                classes[f"{change.class_} -> {change.became}"] = count
        return Difference(
            header=header,
            same=self.same,
            added=dict(self.added),
            removed=dict(self.removed),
            moved=dict(self.moved),
            relabelled=self.relabelled,
            labels=labels,
            classes=dict(classes),
            details=self.details,
            changed=self.changed,
            listed=tuple(self.listed),
            unlisted=self.unlisted,
        )


def _words(old: Row, new: Row, changes: list[LabelChange], details: bool) -> tuple[str, ...]:
    """A picture's changes in short: "train -> val", "2 person box", "details"."""
    counts = Counter(
        f"{change.class_} {change.kind}" + (f" -> {change.became}" if change.became else "")
        for change in changes
    )
    words = [f"{old.split} -> {new.split}"] if old.split != new.split else []
    words += [f"{count} {what}" for what, count in counts.items()]
    return (*words, "details") if details else tuple(words)


def _header_changes(old: Header, new: Header) -> tuple[str, ...]:
    a, b = msgspec.structs.asdict(old), msgspec.structs.asdict(new)
    return tuple(key for key in a if a[key] != b[key])
