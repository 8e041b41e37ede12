"""A snapshot's pictures divided anew into train, val and test: by time or by source.

Never by random picture: neighbouring frames of a video are all but equal, and a test that has seen
its neighbours in training says nothing. By time, each source is cut in its own order: first train,
then val, then test, and what lies in the gap before a cut is left out; a sequence that reaches over
a cut lies in the gap. By source, whole sources go into one split, the largest first, each to the
split that lacks most; where every picture has a class as a whole, class by class.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from math import inf
from pathlib import Path
from typing import Final, Literal, NamedTuple

from msgspec.structs import replace

from edgefactory.datasets.carrying import pictures_of, write_snapshot
from edgefactory.datasets.documents import LABELLERS, Header, Item, Split
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.lines import Lines, Row
from edgefactory.datasets.manifest import stream_items
from edgefactory.datasets.statements import Items, without_broken_bounds

_ORDER: Final[tuple[Split, ...]] = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class SplitSettings:
    """How much goes where. Shares are of each source's pictures, or by source of all pictures."""

    by: Literal["time", "source"] = "time"
    val: float = 0.1  # 0..1
    test: float = 0.2  # 0..1
    gap: float = 0.02  # of a source's duration, left out before each cut; by time only

    def __post_init__(self) -> None:
        if min(self.val, self.test, self.gap) < 0 or self.val + self.test + self.gap >= 1:
            raise InputError(
                "split: val, test and gap must not be negative, and leave a train part"
            )


class Cuts(NamedTuple):
    """Where one source is cut, in its seconds: train before `train_end`, val from `val_start` and
    before `val_end`, test from `test_start`; what lies between is the gap."""

    train_end: float
    val_start: float
    val_end: float
    test_start: float

    def split_at(self, seconds: float) -> Split | None:
        """The split of a picture taken then; None in a gap."""
        if seconds < self.train_end:
            return "train"
        if self.val_start <= seconds < self.val_end:
            return "val"
        return "test" if seconds >= self.test_start else None


WHOLE: Final[Mapping[Split, Cuts]] = {
    "train": Cuts(inf, inf, inf, inf),
    "val": Cuts(-inf, -inf, inf, inf),
    "test": Cuts(-inf, inf, inf, -inf),
}
"""A source that goes into one split as a whole."""


@dataclass(frozen=True, slots=True)
class Division:
    """A snapshot divided anew, not yet written. `pictures` counts those of the old one."""

    old: Header
    pictures: int
    header: Header
    items: Items


@dataclass(frozen=True, slots=True)
class Divided:
    """What became of a snapshot, in pictures; `gap` of them were left out."""

    digest: str
    splits: dict[Split, int]
    gap: int
    bounds_ended: int


def split(folder: Path, settings: SplitSettings, out: Path) -> Divided:
    """Write the snapshot in `folder`, divided anew, to the new folder `out`.

    Errors as `divided` and `write_snapshot`.
    """
    division = divided(folder, settings)
    counts: Counter[Split] = Counter()

    def counted() -> Iterator[Item]:
        for item in division.items():
            counts[item.split] += 1
            yield item

    digest = write_snapshot(out, division.header, counted(), pictures_of(folder))
    return Divided(
        digest,
        {name: counts[name] for name in _ORDER},
        division.pictures - counts.total(),
        len(division.old.bounds) - len(division.header.bounds),
    )


def divided(folder: Path, settings: SplitSettings) -> Division:
    """The snapshot in `folder`, divided anew.

    Its header says anew who labelled the test split, and no longer names a truth file. Raises
    `MissingError` when it is not there; `InputError` when it is not a snapshot, a source cannot be
    cut by time because all its pictures have the same, or there are too few sources.
    """
    header, sources = _sources(folder)
    if settings.by == "source":
        pictures = {name: len(found.seconds) for name, found in sources.items()}
        classes = {name: found.main_class for name, found in sources.items()}
        cuts = source_cuts(pictures, settings, classes)
    else:
        signal = header.signal
        least = signal.seconds - signal.step_seconds if signal else 0.0
        cuts = {
            name: time_cuts(found.seconds, settings, name, least) for name, found in sources.items()
        }

    def items() -> Iterator[Item]:
        for item in stream_items(folder):
            wanted = cuts[item.source].split_at(item.captured_at)
            if wanted is not None:
                yield item if item.split == wanted else replace(item, split=wanted)

    tested = {
        labeller
        for name, found in sources.items()
        for seconds, labeller in zip(found.seconds, found.labellers, strict=True)
        if cuts[name].split_at(seconds) == "test"
    }
    worst = LABELLERS[max(tested)] if tested else header.test_labels
    new = replace(header, test_labels=worst, truth_sha256=None)
    kept, whole = without_broken_bounds(new, items)
    return Division(header, sum(len(x.seconds) for x in sources.values()), kept, whole)


@dataclass(frozen=True, slots=True)
class _Source:
    """The pictures of one source: when each was taken, who labelled it, its class as a whole."""

    seconds: array[float] = field(default_factory=lambda: array("d"))
    labellers: bytearray = field(default_factory=bytearray)  # indices into LABELLERS
    classes: Counter[str] = field(default_factory=Counter)

    @property
    def main_class(self) -> str:
        """The class of most of its pictures; empty where they have boxes, or nothing."""
        return max(self.classes, key=lambda name: (self.classes[name], name), default="")


def _sources(folder: Path) -> tuple[Header, dict[str, _Source]]:
    sources: dict[str, _Source] = defaultdict(_Source)
    with Lines(folder) as lines:
        for _, line in lines.each():
            row = lines.row(line)
            sources[row.source].seconds.append(row.captured_at)
            sources[row.source].labellers.append(_labeller(row))
            sources[row.source].classes.update(m.class_ for m in row.labels if m.box is None)
        return lines.header, sources


def _labeller(row: Row) -> int:
    """Who has to answer for a picture's labels, the least trusted of them; an empty picture that
    nobody has reviewed is the teacher's."""
    if row.reviewed:
        return LABELLERS.index("human")
    origins = {mark.origin.partition(":")[0] for mark in row.labels} or {"teacher"}
    found = (number for number, labeller in enumerate(LABELLERS) if labeller in origins)
    return max(found, default=0)


def time_cuts(
    seconds: Sequence[float], settings: SplitSettings, source: str, least: float = 0.0
) -> Cuts:
    """Where one source is cut, so that val and test get their shares of its pictures.

    The gap is of `least` seconds at least. Pictures of the same moment stay together, so a share
    may come out a little larger or smaller.
    Raises `InputError`, naming `source`, when all pictures have the same time.
    """
    ordered = sorted(seconds)
    if ordered[0] == ordered[-1]:
        raise InputError(
            f"source {source!r}: its pictures ({len(ordered)}) all have the time {ordered[0]:g} s, "
            "so that no time divides them; use --by source"
        )
    gap = max(settings.gap * (ordered[-1] - ordered[0]), least)
    val_start = _start(ordered, settings.val + settings.test)
    test_start = _start(ordered, settings.test)
    return Cuts(val_start - gap, val_start, test_start - gap, test_start)


def _start(ordered: Sequence[float], share: float) -> float:
    """The time at which the last `share` of the pictures begins; infinite for none of them."""
    count = round(share * len(ordered))
    if count == 0:
        return inf
    at = ordered[-count]
    return at if at > ordered[0] else ordered[bisect_right(ordered, at)]


def source_cuts(
    pictures: Mapping[str, int], settings: SplitSettings, classes: Mapping[str, str] | None = None
) -> dict[str, Cuts]:
    """The split of each whole source, given how many `pictures` it has and of which class it is.

    The largest source of a class first, each goes to the split that lacks most of its share of the
    class; what it lacks or has too much then, it has for the next class too. Raises `InputError`
    when there are fewer sources than splits to fill.
    """
    shares: dict[Split, float] = {
        "train": 1 - settings.val - settings.test,
        "val": settings.val,
        "test": settings.test,
    }
    lacking = {name: 0.0 for name, share in shares.items() if share}
    if len(pictures) < len(lacking):
        raise InputError(
            f"{len(pictures)} sources cannot fill the splits {', '.join(lacking)}; "
            "set a share to 0, or divide by time"
        )
    cuts: dict[str, Cuts] = {}
    empty, left, of = set(lacking), len(pictures), classes or {}
    ordered = sorted(pictures, key=lambda source: (of.get(source, ""), -pictures[source], source))
    for _, group in groupby(ordered, key=lambda source: of.get(source, "")):
        sources = list(group)
        for name in lacking:
            lacking[name] += shares[name] * sum(pictures[source] for source in sources)
        for source in sources:
            # As many sources left as splits without one: each of these gets its own.
            choice = empty if left <= len(empty) else lacking
            name = max((n for n in _ORDER if n in choice), key=lambda n: lacking[n])
            lacking[name] -= pictures[source]
            empty.discard(name)
            left -= 1
            cuts[source] = WHOLE[name]
    return cuts
