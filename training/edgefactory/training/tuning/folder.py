"""A search's folder: what it is about, and everything that it has learned, kill -9 or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from edge_runtime.contract import encode
from edgefactory.datasets.documents import read_document
from edgefactory.datasets.environments import locked
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.files import require_replaceable, write_file
from edgefactory.datasets.journal import Journal
from edgefactory.training.recipe import Recipe
from edgefactory.training.tuning.budgets import Budget
from edgefactory.training.tuning.feasibility import Priced
from edgefactory.training.tuning.ladder import Begun, Climb
from edgefactory.training.tuning.space import Dimension

RESULT: Final = "tune.json"
SEARCH: Final = "search"
_ABOUT: Final = "search.json"


class About(Struct, frozen=True, forbid_unknown_fields=True):
    """`search.json`: what decides a search. `measured_at` is the box whose latency counts."""

    schema: Literal["tune-search/1"]
    snapshot_sha256: str
    budgets: tuple[Budget, ...]
    metric: str
    start: Recipe
    space: dict[str, Dimension]
    seed: int
    measured_at: str


class Paced(Struct, frozen=True, forbid_unknown_fields=True, tag="paced"):
    """How many epochs a whole run has, so that the time suffices; a line of the journal.

    `epoch_seconds` are what an epoch of the first candidate took.
    """

    epochs: Annotated[int, Meta(ge=1)]
    epoch_seconds: Annotated[float, Meta(ge=0.0)]


class Finished(Struct, frozen=True, forbid_unknown_fields=True, tag="finished"):
    """A run of the winner to its end: its epochs, its value on val, and whether it was kept.

    `cut_after` so many of its epochs the time was over; 0 where it was not.
    """

    number: Annotated[int, Meta(ge=0)]
    epochs: Annotated[int, Meta(ge=1)]
    value: float
    kept: bool
    cut_after: Annotated[int, Meta(ge=0)] = 0


Entry = Priced | Paced | Begun | Climb | Finished


class Folder:
    """The folder `out` of one search, locked while it is used."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.search = out / SEARCH
        self.runs = self.search / "runs"
        self.clock = self.search / "clock.json"
        self.journal: Journal[Entry] = Journal(self.search / "journal.jsonl", Entry)  # type: ignore[arg-type] # a union of structs

    def entries(self) -> list[Entry]:
        """What earlier calls have learned, oldest first."""
        return list(self.journal.read())

    def learn(self, entry: Entry) -> None:
        """Keep something that was learned."""
        self.journal.append([entry])


@contextmanager
def opened(out: Path, about: About) -> Iterator[Folder]:
    """The folder of the search that `about` says everything about; made if need be.

    Raises InputError when it holds something else, another search, or one that is under way.
    """
    require_replaceable(out, f"{SEARCH}/{_ABOUT}")
    with locked(out / SEARCH / "lock", f"{out}: another `edgefactory tune` works in this folder"):
        path = out / SEARCH / _ABOUT
        if path.is_file():
            _require_same(read_document(path, About), about, out)
        else:
            write_file(path, encode(about))
        yield Folder(out)


def _require_same(earlier: About, now: About, out: Path) -> None:
    for key in About.__struct_fields__:
        was, wanted = getattr(earlier, key), getattr(now, key)
        if was != wanted:
            raise InputError(
                f"{out} holds a search with another {_NAMES[key]}{_difference(was, wanted)}; take "
                "another --out, or what it was to go on"
            )


_NAMES: Final = {
    "schema": "schema",
    "snapshot_sha256": "snapshot",
    "budgets": "--budget",
    "metric": "--maximize",
    "start": "starting recipe",
    "space": "space",
    "seed": "--seed",
    "measured_at": "box to measure on",
}


def _difference(was: object, wanted: object) -> str:
    """Where two values differ, in a few words."""
    one, other = msgspec.to_builtins(was), msgspec.to_builtins(wanted)
    if isinstance(one, dict) and isinstance(other, dict):
        key = next(key for key in {**one, **other} if one.get(key) != other.get(key))
        return f" ({key})"
    if isinstance(was, tuple):
        return f" ({' '.join(map(str, was))})"
    return f" ({str(was)[:12]})"
