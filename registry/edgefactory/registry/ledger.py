"""Which version holds which alias: the one state that a list of entries leads to. Pure.

MLflow moves an alias for whoever asks, so that of several who ask at once all believe that they
won. Its version numbers, though, are given out once each. So every move is first written as the
next version of a model of its own, the ledger, as "alias, from, to", and counts only when the alias
was held by `from` when the entries before it are gone through. Of several moves from one state the
first counts and the others do not, whoever reads.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edgefactory.datasets.errors import TrustError


@dataclass(frozen=True)
class Entry:
    """One move as it was written; `number` is its place in the ledger, from 1 on.

    `before` and `after` are numbers of model versions, `before` None where nobody held the alias.
    `key` is drawn once a move: what was sent twice counts once. `at` is in ms since 1970.
    """

    number: int
    key: str
    alias: str
    before: int | None
    after: int
    digest: str
    by: str
    reason: str
    at: int


@dataclass(frozen=True)
class Ledger:
    """All entries, the numbers of those that count, and the last such entry of each alias."""

    entries: tuple[Entry, ...]
    counted: frozenset[int]
    holders: Mapping[str, Entry]

    def holder(self, alias: str) -> int | None:
        """The number of the model version that holds `alias`."""
        entry = self.holders.get(alias)
        return None if entry is None else entry.after


def replay(entries: Iterable[Entry], name: str) -> Ledger:
    """The state that the entries lead to, in the order of their numbers.

    Raises TrustError when a number is missing: then the ledger `name` was cut, and says nothing.
    """
    ordered = sorted(entries, key=lambda entry: entry.number)
    holders: dict[str, Entry] = {}
    counted: set[int] = set()
    seen: set[str] = set()
    for place, entry in enumerate(ordered, start=1):
        if entry.number != place:
            raise TrustError(
                f"{name} has no entry {place}: somebody deleted it, and what holds can no longer "
                "be told; restore it from a backup of the store"
            )
        held = holders.get(entry.alias)
        if entry.key not in seen and entry.before == (held.after if held else None):
            holders[entry.alias] = entry
            counted.add(entry.number)
        seen.add(entry.key)
    return Ledger(tuple(ordered), frozenset(counted), holders)
