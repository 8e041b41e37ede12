"""Which version of a picture counts, where several snapshots have it. Pure.

One version is taken whole, never a mixture: two teachers' boxes of one thing would be two things.
A version in which people have spoken (the picture is reviewed, or a label is drawn, confirmed or
refused by a person) goes before one in which only machines have; between machines the snapshot
that was named first goes before the others. Where people have spoken in several, they must not
contradict each other, unless one of the snapshots is preferred.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgefactory.datasets.documents import Box, Item, Label
from edgefactory.datasets.errors import InputError

Claims = frozenset[tuple[str, Box | None, bool, bool]]
"""What is said of a picture: class, box, ignore mark, and whether it was refused."""


@dataclass(frozen=True, slots=True)
class PictureVersion:
    """A picture as one snapshot has it; `number` is the snapshot's place in the merge."""

    snapshot: str
    number: int
    item: Item


def chosen(versions: Sequence[PictureVersion], prefer: int | None) -> Item:
    """The version that counts, of those of one picture in the order of their snapshots.

    Raises `InputError`, naming picture and snapshots, when they lie in different splits, or people
    contradict each other and `prefer` (a snapshot's number) does not settle it.
    """
    first = versions[0]
    for other in versions[1:]:
        if other.item.split != first.item.split:
            raise InputError(
                f"{_name(first.item)} is in {first.item.split} of {first.snapshot} and in "
                f"{other.item.split} of {other.snapshot}; split one of them anew before the merge"
            )
    spoken = [version for version in versions if _people_spoke(version.item)]
    if not spoken:
        return first.item
    for index, one in enumerate(spoken):
        for other in spoken[index + 1 :]:
            if not _agree(one.item, other.item):
                return _preferred(one, other, spoken, prefer)
    return max(spoken, key=lambda version: _weight(version.item)).item


def _preferred(
    one: PictureVersion,
    other: PictureVersion,
    spoken: Sequence[PictureVersion],
    prefer: int | None,
) -> Item:
    for version in spoken:
        if version.number == prefer:
            return version.item
    raise InputError(
        f"{_name(one.item)}: people say different things in {one.snapshot} and in "
        f"{other.snapshot}; settle it there, or say whom to believe with --prefer"
    )


def _people_spoke(item: Item) -> bool:
    return item.reviewed or any(_by_people(label) for label in item.labels)


def _by_people(label: Label) -> bool:
    return label.state in ("reviewed", "rejected") or label.origin.startswith("human:")


def _agree(a: Item, b: Item) -> bool:
    """Whether no person in one says what a person in the other denies.

    Who has seen a whole picture denies all that is not there; others deny nothing.
    """
    claims_a, claims_b = _claims(a), _claims(b)
    if a.reviewed and b.reviewed:
        return claims_a == claims_b
    if a.reviewed or b.reviewed:
        return claims_b <= claims_a if a.reviewed else claims_a <= claims_b
    return claims_a <= claims_b or claims_b <= claims_a


def _claims(item: Item) -> Claims:
    return frozenset(
        (label.class_, label.box, label.ignore, label.state == "rejected")
        for label in item.labels
        if _by_people(label) or (item.reviewed and label.state != "queued")
    )


def _weight(item: Item) -> tuple[bool, int]:
    """The larger, the more people have said of it."""
    return item.reviewed, len(_claims(item))


def _name(item: Item) -> str:
    return f"picture {item.name or item.id[:12]}"
