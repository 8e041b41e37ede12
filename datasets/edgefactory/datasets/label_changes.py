"""What became of one picture's labels between two versions of it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct

from edgefactory.datasets.documents import Box
from edgefactory.datasets.lines import Mark

Kind = Literal["added", "removed", "class", "box", "state", "other"]
KINDS: Final[tuple[Kind, ...]] = ("added", "removed", "class", "box", "state", "other")

_FEW: Final = 8  # labels that are compared faster than hashed
SAME_THING: Final = 0.5  # intersection over union from which two boxes are of one thing


class LabelChange(Struct, frozen=True, gc=False):
    """One change. `class_` is the label's class; if that changed the old one, `became` the new.

    Kinds: `added`, `removed`; `class`; `box` (moved or resized); `state`; `other` (origin, score,
    ignore mark or bound).
    """

    kind: Kind
    class_: str
    became: str | None = None


def label_changes(old: Sequence[Mark], new: Sequence[Mark]) -> list[LabelChange]:
    """The changes that lead from `old` to `new`, whatever the order of the labels.

    Equal labels are set aside. Of the rest, those that are of one thing are paired, same class
    first, then the larger overlap; a pair may change in several ways. Labels of whole pictures
    are all of one thing. Where each label has kept its place in the list, that is its pair.
    """
    changes = _changes_in_place(old, new)
    if changes is not None:
        return changes
    changes = []
    old, new = _without_equal(old, new)
    pairs = _by_overlap(old, new)
    for i, j in pairs:
        _add_changes(changes, old[i], new[j])
    gone, come = {i for i, _ in pairs}, {j for _, j in pairs}
    changes += [LabelChange("removed", o.class_) for i, o in enumerate(old) if i not in gone]
    changes += [LabelChange("added", n.class_) for j, n in enumerate(new) if j not in come]
    return changes


def _changes_in_place(old: Sequence[Mark], new: Sequence[Mark]) -> list[LabelChange] | None:
    """The changes, where the labels at each place are of one thing, by far the usual case; or None.

    A changed label must not be found unchanged at another place: then it was only reordered.
    """
    changes: list[LabelChange] = []
    fresh = [*new[len(old) :]]
    for o, n in zip(old, new, strict=False):
        if o != n:
            if o.class_ != n.class_ or _overlap(o.box, n.box) < SAME_THING:
                return None
            _add_changes(changes, o, n)
            fresh.append(n)
    known = old if len(old) <= _FEW else frozenset(old)
    for mark in fresh:
        if mark in known:
            return None
    changes += [LabelChange("removed", mark.class_) for mark in old[len(new) :]]
    changes += [LabelChange("added", mark.class_) for mark in new[len(old) :]]
    return changes


def _without_equal(
    old: Sequence[Mark], new: Sequence[Mark]
) -> tuple[Sequence[Mark], Sequence[Mark]]:
    left = Counter(old)
    fresh = []
    for mark in new:
        if left[mark] > 0:
            left[mark] -= 1
        else:
            fresh.append(mark)
    return list(left.elements()), fresh


def _by_overlap(old: Sequence[Mark], new: Sequence[Mark]) -> list[tuple[int, int]]:
    candidates = []
    for i, o in enumerate(old):
        for j, n in enumerate(new):
            shared = _overlap(o.box, n.box)
            if shared >= SAME_THING:
                candidates.append((o.class_ != n.class_, -shared, i, j))
    pairs = []
    taken_old: set[int] = set()
    taken_new: set[int] = set()
    for _, _, i, j in sorted(candidates):
        if i not in taken_old and j not in taken_new:
            taken_old.add(i)
            taken_new.add(j)
            pairs.append((i, j))
    return pairs


def _overlap(a: Box | None, b: Box | None) -> float:
    """Intersection over union; 1 for two labels of the whole picture."""
    if a is None or b is None:
        return float(a is b)
    ax0, ay0, ax1, ay1 = a
    bx0, by0, bx1, by1 = b
    # Spelled out: min() and max() would take half of the time of a comparison of snapshots.
    width = (ax1 if ax1 < bx1 else bx1) - (ax0 if ax0 > bx0 else bx0)
    height = (ay1 if ay1 < by1 else by1) - (ay0 if ay0 > by0 else by0)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / ((ax1 - ax0) * (ay1 - ay0) + (bx1 - bx0) * (by1 - by0) - shared)


def _add_changes(changes: list[LabelChange], old: Mark, new: Mark) -> None:
    """Append how one label changed."""
    if old.class_ != new.class_:
        changes.append(LabelChange("class", old.class_, new.class_))
    if old.box != new.box:
        changes.append(LabelChange("box", old.class_))
    if old.state != new.state:
        changes.append(LabelChange("state", old.class_))
    if (
        old.score != new.score
        or old.origin != new.origin
        or old.ignore != new.ignore
        or old.bound != new.bound
    ):
        changes.append(LabelChange("other", old.class_))
