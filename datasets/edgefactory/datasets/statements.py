"""Bounds on the error of labels, kept only while they are true.

An `ErrorBound` speaks of exactly the labels that carry its id. What takes labels away from a
snapshot (leaves pictures out, drops a class, prefers another version of a picture) ends it, even
where all labels that are left are the old ones: among them the wrong ones may have a larger share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from msgspec.structs import replace

from edgefactory.datasets.documents import Header, Item

Items = Callable[[], Iterator[Item]]
"""The items of a snapshot, from the first one at each call."""


def without_broken_bounds(header: Header, items: Items) -> tuple[Header, Items]:
    """The same snapshot without the bounds that are no longer true, in header and labels.

    A bound is kept when as many labels carry its id as it speaks of, and the header still knows
    its classes. Who changes a label takes the bound off it, so that it counts as missing. Costs
    one more pass over the items where the header has bounds, else nothing.
    """
    if not header.bounds:
        return header, items
    found = Counter(label.bound for item in items() for label in item.labels)
    kept = tuple(
        bound
        for bound in header.bounds
        if found[bound.id] == bound.labels and {*bound.classes} <= {*header.classes, "*"}
    )
    if kept == header.bounds:
        return header, items
    names = frozenset(bound.id for bound in kept)
    return replace(header, bounds=kept), lambda: (_only(item, names) for item in items())


def _only(item: Item, bounds: frozenset[str]) -> Item:
    """The item, its labels rid of every bound that is not in `bounds`."""
    if all(label.bound is None or label.bound in bounds for label in item.labels):
        return item
    labels = tuple(
        label if label.bound in bounds else replace(label, bound=None) for label in item.labels
    )
    return replace(item, labels=labels)
