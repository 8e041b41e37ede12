"""Labels for a whole snapshot from a teacher: in batches, in many processes, and through time.

What people said stays as it is; what a machine said before is replaced. Pictures that people have
looked at as a whole are shown to the teacher too, since tracks run through them and an error bound
compares it with people there, but their labels are not touched. What the teacher found is
appended to a journal beside the new snapshot: a killed run goes on where it stopped, with other
thresholds if that is wanted.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from edgefactory.datasets.bounds import BoundSettings, GroupReport, bounded, is_machines
from edgefactory.datasets.carrying import pictures_of, write_snapshot
from edgefactory.datasets.documents import Item, Progress, Snapshot
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.files import require_replaceable, storage_errors
from edgefactory.datasets.journal import Journal, journal_path
from edgefactory.datasets.manifest import (
    FIRST_FORM,
    MANIFEST,
    header_of,
    read_manifest,
    snapshot_digest,
)
from edgefactory.datasets.snapshot import load_picture
from edgefactory.datasets.teachers import (
    EngineSettings,
    Found,
    TeacherSpec,
    fetched,
    open_teachers,
)
from edgefactory.datasets.verdicts import (
    Seen,
    Verdict,
    VerdictSettings,
    beside_people,
    reviewed_tests,
    verdicts,
    with_people,
)
from edgefactory.datasets.workers import cores, spread

_BATCH_PIXELS: Final = 64 * 2**20  # of a batch, unless a single picture has more


@dataclass(frozen=True, slots=True)
class AutoLabelSettings:
    """Who labels, how the work is spread, and what becomes of a label."""

    teachers: tuple[TeacherSpec, ...]  # several are fused
    # The engine's threads follow from the number of workers.
    engine: EngineSettings = field(default_factory=EngineSettings)
    verdicts: VerdictSettings = field(default_factory=VerdictSettings)
    bound: BoundSettings | None = None  # decides what is accepted, in place of `verdicts.accept`
    workers: int | None = None  # processes; None: one for each core
    batch: int = 4  # pictures that a worker takes at once

    def __post_init__(self) -> None:
        if not (self.workers is None or 1 <= self.workers <= 256) or not 1 <= self.batch <= 64:
            raise InputError("label auto: expected 1..256 workers and batches of 1..64")


@dataclass(frozen=True, slots=True)
class AutoLabelled:
    """What came of it: the new snapshot's digest, and counts of pictures and of labels."""

    digest: str
    pictures: int
    resumed: int  # pictures that an earlier, interrupted run had done
    accepted: int
    queued: int
    filled: int  # boxes where a track had a hole
    flicker: int  # boxes dropped because no neighbouring frame confirms them
    kept: int  # labels of people, or imported
    groups: tuple[GroupReport, ...] = ()  # what came of the bound, if one was asked for


@dataclass(frozen=True, slots=True)
class _Looker:
    """All that a worker needs to look at pictures."""

    folder: Path
    teachers: tuple[TeacherSpec, ...]
    engine: EngineSettings


@dataclass(frozen=True, slots=True)
class _Identity:
    """Whose labels these are, and what the teacher's class indices mean."""

    classes: tuple[str, ...]
    digest: str


def auto_label(
    settings: AutoLabelSettings, folder: Path, out: Path, progress: Progress | None = None
) -> AutoLabelled:
    """Label the snapshot in `folder` by the settings' teachers; the new snapshot is `out`.

    What was found is held in memory until the end, some hundred bytes a box. Raises `InputError`
    when teacher and snapshot do not fit or a picture is not what it must be, `MissingError` when
    a teacher, an engine or a picture is not there, `StorageError` when the disk refuses.
    """
    require_replaceable(out, MANIFEST, FIRST_FORM)
    report = progress or (lambda _done, _total, _text: None)
    snapshot = reviewed_tests(read_manifest(folder))
    report(0, 0, "loading the teacher")
    looker = _Looker(folder, tuple(map(fetched, settings.teachers)), settings.engine)
    who = _identity(looker, snapshot)
    snapshot = replace(snapshot, classes=snapshot.classes or who.classes)
    scratch = out.with_name(f".{out.name}.labelling")
    key = [snapshot_digest(folder), who.digest, *_how(looker)]
    journal = Journal(journal_path(scratch, "seen", key), Seen)
    seen = {entry.id: entry for entry in journal.read()}
    resumed, total = len(seen), len(snapshot.items)
    report(resumed, total, "labelling pictures")
    pending = [item for item in snapshot.items if item.id not in seen]
    for entries in _looks(looker, pending, settings):
        journal.append(entries)
        seen.update((entry.id, entry) for entry in entries)
        report(len(seen), total, "labelling pictures")
    origin = f"teacher:{who.digest}"
    found = verdicts(snapshot, seen, who.classes, origin, settings.verdicts)
    labelled, groups = _labelled(snapshot, found, settings.bound)
    digest = write_snapshot(out, header_of(labelled), labelled.items, pictures_of(folder))
    if scratch.exists():
        with storage_errors(scratch):
            shutil.rmtree(scratch)
    return _summary(digest, resumed, labelled, found, groups)


def batches(items: Iterable[Item], size: int) -> Iterator[tuple[Item, ...]]:
    """What of the items it takes to load their pictures, `size` at a time; fewer of large ones."""
    batch: list[Item] = []
    pixels = 0
    for item in items:
        more = item.width * item.height
        if batch and (len(batch) == size or pixels + more > _BATCH_PIXELS):
            yield tuple(batch)
            batch, pixels = [], 0
        batch.append(replace(item, labels=(), name=None))
        pixels += more
    if batch:
        yield tuple(batch)


def _looks(
    looker: _Looker, pending: Sequence[Item], settings: AutoLabelSettings
) -> Iterator[tuple[Seen, ...]]:
    """What the teacher finds in the `pending` pictures, batch by batch, as they are finished."""
    if not pending:
        return
    workers = min(settings.workers or cores(), len(pending))
    engine = replace(looker.engine, threads=max(1, cores() // workers))
    make = partial(_look, dataclasses.replace(looker, engine=engine))
    size = min(settings.batch, -(-len(pending) // workers))
    with closing(spread(make, batches(pending, size), workers)) as finished:
        for _, entries in finished:
            yield entries


def _look(looker: _Looker) -> Callable[[Sequence[Item]], tuple[Seen, ...]]:
    """What a worker does with a batch, once it has loaded its teacher."""
    teacher = open_teachers(looker.teachers, looker.engine)

    def look(items: Sequence[Item]) -> tuple[Seen, ...]:
        found = teacher.predict([load_picture(looker.folder, item) for item in items])
        return tuple(_entry(item, one) for item, one in zip(items, found, strict=True))

    return look


def _entry(item: Item, found: Found) -> Seen:
    boxes = tuple((x0, y0, x1, y1) for x0, y0, x1, y1 in found.boxes.tolist())
    return Seen(item.id, tuple(found.scores.tolist()), tuple(found.classes.tolist()), boxes)


def _how(looker: _Looker) -> Iterator[object]:
    """Everything that decides about what a teacher finds, apart from its files' content."""
    yield [msgspec.to_builtins(replace(spec, file=None)) for spec in looker.teachers]
    yield msgspec.to_builtins(replace(looker.engine, threads=1))


def _identity(looker: _Looker, snapshot: Snapshot) -> _Identity:
    """Who labels. The teacher is loaded for this, so that what is wrong with it is said at once,
    and let go again."""
    teacher = open_teachers(looker.teachers, looker.engine)
    if teacher.task != snapshot.task:
        raise InputError(f"the teacher does {teacher.task}, the snapshot is for {snapshot.task}")
    if snapshot.classes and not set(teacher.classes) & set(snapshot.classes):
        raise InputError(
            f"the teacher knows {_listed(teacher.classes)}; the snapshot has "
            f"{_listed(snapshot.classes)}: no class in common, rename them by `data remap`"
        )
    return _Identity(teacher.classes, teacher.digest)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _labelled(
    snapshot: Snapshot, found: Mapping[str, Verdict], bound: BoundSettings | None
) -> tuple[Snapshot, tuple[GroupReport, ...]]:
    """The snapshot with its new labels, what that makes of its header, and the bound's report."""
    groups: tuple[GroupReport, ...] = ()
    place = with_people if bound is None else beside_people
    items = tuple(place(item, found[item.id]) for item in snapshot.items)
    labelled = replace(snapshot, items=items, bounds=())
    if bound is not None:
        result = bounded(labelled, bound)
        labelled, groups = result.snapshot, result.groups
    if any(any(map(is_machines, item.labels)) for item in labelled.split("test")):
        labelled = replace(labelled, test_labels="teacher")
    return labelled, groups


def _summary(
    digest: str,
    resumed: int,
    labelled: Snapshot,
    found: Mapping[str, Verdict],
    groups: tuple[GroupReport, ...],
) -> AutoLabelled:
    labels = [label for item in labelled.items for label in item.labels]
    machines = [label.state for label in labels if is_machines(label)]
    return AutoLabelled(
        digest=digest,
        pictures=len(labelled.items),
        resumed=resumed,
        accepted=machines.count("accepted"),
        queued=machines.count("queued"),
        filled=sum(verdict.filled for verdict in found.values()),
        flicker=sum(verdict.flicker for verdict in found.values()),
        kept=len(labels) - len(machines),
        groups=groups,
    )
