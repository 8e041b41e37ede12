"""A snapshot becomes a foreign data set, and what that has no place for is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from edge_runtime.contract.codec import encode
from edgefactory.datasets.documents import Header, Item, Label, Progress, Sha256, Snapshot, State
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.files import fresh_folder, storage_errors, write_file
from edgefactory.datasets.formats.placing import Form, Placed, after_import, places
from edgefactory.datasets.manifest import header_of, read_manifest, snapshot_digest
from edgefactory.datasets.snapshot import picture_bytes

RECORD: Final = "edgefactory-export.json"
STANDING: Final[frozenset[State]] = frozenset({"accepted", "reviewed"})
"""Labels that a trainer may believe; the others wait for a person, or a person said no."""


class Export(Struct, frozen=True, forbid_unknown_fields=True):
    """`edgefactory-export.json`: which snapshot an export was made of, and what it lacks."""

    schema: Literal["export/1"]
    format: str
    snapshot: Sha256
    states: tuple[State, ...]
    left_out: dict[str, int]


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, and `lost`: what the format has no place for, by kind."""

    pictures: int
    labels: int
    lost: Mapping[str, int]


def export_data_set(
    form: tuple[str, Form],
    folder: Path,
    out: Path,
    states: Collection[State] = STANDING,
    progress: Progress | None = None,
) -> Exported:
    """Write the snapshot in `folder` as a data set of a format (its name, its module) to `out`.

    Only labels in `states` go along. An earlier export at `out` is replaced. Raises `InputError`
    for a snapshot of a task, or with a class, that the format cannot hold.
    """
    name, module = form
    snapshot = read_manifest(folder)
    header = header_of(snapshot)
    _check(form, header, folder)
    placed, lost = planned(module, snapshot, states)
    if not placed:
        raise InputError(f"{folder} has no picture for {name}; label it first, or give --state")
    report = progress or (lambda _done, _total, _text: None)
    with fresh_folder(out, RECORD) as work:
        for done, one in enumerate(placed, start=1):
            content = picture_bytes(folder, one.item)
            target = work / one.file
            with storage_errors(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            report(done, len(placed), one.file)
        module.write(work, header, placed)
        digest = snapshot_digest(folder)
        record = Export("export/1", name, digest, tuple(sorted(states)), dict(sorted(lost.items())))
        write_file(work / RECORD, encode(record))
    return Exported(len(placed), sum(len(one.item.labels) for one in placed), lost)


def planned(
    form: Form, snapshot: Snapshot, states: Collection[State]
) -> tuple[list[Placed], Mapping[str, int]]:
    """What is written where, and what is lost: how importing it again would differ."""
    items = [msgspec.structs.replace(i, labels=_told(form, i, states)) for i in snapshot.items]
    if "detection" not in form.TASKS:  # a picture without a class has no place
        items = [item for item in items if item.labels]
    header = header_of(snapshot)
    placed = places(form, items)
    back = after_import(form, header, placed)
    lost = Counter(_header_losses(form, header))
    told = {item.id: item for item in items}
    for before in snapshot.items:
        if before.id in back:
            lost.update(_losses(before, told[before.id], back[before.id]))
        else:
            lost.update({"pictures": 1, "labels": len(before.labels)})
    return placed, +lost


def _told(form: Form, item: Item, states: Collection[State]) -> tuple[Label, ...]:
    return tuple(
        label
        for label in item.labels
        if label.state in states and form.comes_back(label, item) is not None
    )


def _losses(before: Item, told: Item, after: Item) -> Counter[str]:
    """How `after`, which comes back, differs from the item, of which `told` is exported."""
    lost: Counter[str] = Counter()
    lost["labels"] += len(before.labels) - len(told.labels)
    lost["names"] += before.name != after.name
    lost["splits"] += before.split != after.split
    lost["sources"] += before.source != after.source
    lost["times"] += (before.frame, before.captured_at) != (after.frame, after.captured_at)
    lost["marks of review"] += before.reviewed != after.reviewed
    for one, other in zip(told.labels, after.labels, strict=True):
        lost["exact edges of boxes"] += one.box != other.box
        lost["origins"] += one.origin != other.origin
        lost["scores"] += one.score != other.score
        lost["states"] += one.state != other.state
        lost["ignore marks"] += one.ignore != other.ignore
        lost["marks of a bound"] += one.bound != other.bound
    return lost


def _header_losses(form: Form, header: Header) -> dict[str, int]:
    lost = {"bounds": len(header.bounds)}
    if "signal" not in form.KEEPS:
        lost["how sequences became pictures"] = int(header.signal is not None)
    if "classes" not in form.KEEPS:
        lost["classes"] = len(header.classes)
        lost["task"] = int(header.task != "detection")
    if "facts" not in form.KEEPS:
        lost["who labelled the test split"] = int(header.test_labels != "imported")
        lost["digest of the truth"] = int(header.truth_sha256 is not None)
    return lost


def _check(form: tuple[str, Form], header: Header, folder: Path) -> None:
    name, module = form
    if header.task not in module.TASKS:
        expected = " or ".join(sorted(module.TASKS))
        raise InputError(f"{folder} is a {header.task} snapshot; {name} is for {expected}")
    for class_ in header.classes:
        if not module.check_class(class_):
            raise InputError(
                f"{folder} has the class {class_!r}, which {name} cannot write; rename it with "
                "`edgefactory data remap`"
            )
