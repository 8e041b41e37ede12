"""Foreign data become a snapshot: pictures put right, boxes checked, all of it or nothing."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edgefactory.datasets.carrying import write_snapshot
from edgefactory.datasets.documents import Header, Item, Label, Progress
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.formats.boxes import settled
from edgefactory.datasets.formats.foreign import (
    Facts,
    ForeignPicture,
    ForeignSet,
    ImportSettings,
    Tally,
)
from edgefactory.datasets.formats.names import (
    MAX_NAME,
    data_set_name,
    kept_name,
    natural,
    short_names,
)
from edgefactory.datasets.formats.placing import Clock, Form, stored_name
from edgefactory.datasets.pictures import Upright, upright


@dataclass(frozen=True, slots=True)
class Imported:
    """A new snapshot: its digest, header, pictures, and what was put right or left out."""

    digest: str
    header: Header
    pictures: int
    counts: Mapping[str, int]


def import_data_set(
    form: Form,
    path: Path,
    out: Path,
    settings: ImportSettings | None = None,
    progress: Progress | None = None,
) -> Imported:
    """Read foreign data at `path` and write the snapshot `out`.

    Pictures that are there twice are kept once. Those that say nothing of their time stand a
    second apart, in order of their names in each folder. Raises `MissingError` when `path` holds
    nothing of that format, and `InputError`, naming the file, for what cannot be used; then
    nothing is written.
    """
    chosen = settings or ImportSettings()
    if not path.exists():
        raise MissingError(f"{path} is not there; name the folder or file to import")
    tally = Tally(chosen.drop_bad)
    found = form.read(path, chosen, tally)
    header = Header(
        data_set_name(chosen.name or path.resolve().stem),
        found.task,
        found.classes,
        "human" if chosen.annotator else found.test_labels,
        found.truth_sha256,
        signal=found.signal,
    )
    intake = _Intake(header.name, chosen, tally)
    items = intake.items(found, progress or (lambda _done, _total, _text: None))
    digest = write_snapshot(out, header, items, lambda item: intake.content.pop(item.id))
    return Imported(digest, header, len(intake.seen), +tally.counts)


class _Intake:
    """Pictures one at a time: the item, and its bytes until they are written."""

    def __init__(self, data_set: str, settings: ImportSettings, tally: Tally) -> None:
        self.content: dict[str, bytes] = {}
        self.seen: dict[str, tuple[str, str]] = {}  # by id: the name, and what the labels say
        self._settings, self._tally = settings, tally
        self._clock = Clock(data_set)

    def items(self, found: ForeignSet, report: Progress) -> Iterator[Item]:
        """The items in order of their names. Raises `InputError` when none is left."""
        shelved = [(picture.shelf, picture.name) for picture in found.pictures]
        arrivals = sorted(
            zip(short_names(shelved), found.pictures, strict=True),
            key=lambda entry: natural(entry[0]),
        )
        for done, (name, foreign) in enumerate(arrivals, start=1):
            report(done, len(arrivals), name)
            try:
                picture = upright(foreign.path)
            except (InputError, MissingError) as error:
                self._tally.bad("pictures that cannot be used", error)
                continue
            item = self._item(name, foreign, picture)
            if item is not None:
                self.content[item.id] = picture.content
                yield item
        if not self.seen:
            raise InputError("no picture of the data set can be used; nothing was imported")

    def _item(self, name: str, foreign: ForeignPicture, picture: Upright) -> Item | None:
        """The picture as an item; None for one that is there already."""
        labels = settled(foreign, picture, self._tally)
        if self._settings.annotator is not None:
            labels = tuple(_by_person(label, self._settings.annotator) for label in labels)
        digest = hashlib.sha256(picture.content).hexdigest()
        says = hashlib.sha256(msgspec.json.encode(labels)).hexdigest()
        if digest in self.seen:
            first, first_says = self.seen[digest]
            if says != first_says:
                error = f"{foreign.path} is the same picture as {first}, with other labels"
                self._tally.bad("pictures there twice", InputError(f"{error}; remove one of them"))
            else:
                self._tally.counts["pictures there twice"] += 1
            return None
        self.seen[digest] = (name, says)
        if picture.mended:
            self._tally.counts[f"pictures {picture.mended}"] += 1
        facts = foreign.facts or Facts(*self._clock.tick(foreign.name))
        item = Item(
            id=digest,
            file=f"images/{digest}.{picture.kind}",
            width=picture.width,
            height=picture.height,
            source=facts.source,
            frame=facts.frame,
            captured_at=facts.captured_at,
            split=foreign.split,
            labels=labels,
            reviewed=facts.reviewed or self._settings.annotator is not None,
        )
        called = kept_name(name, picture.kind)[-MAX_NAME:]
        return msgspec.structs.replace(item, name=stored_name(called, item))


def _by_person(label: Label, annotator: str) -> Label:
    return msgspec.structs.replace(label, origin=f"human:{annotator}", state="reviewed")


def counted(counts: Mapping[str, int]) -> str:
    """Counts as people read them: "boxes cut at the edge (2), masks not kept (1)"."""
    return ", ".join(f"{what} ({count})" for what, count in Counter(counts).most_common())
