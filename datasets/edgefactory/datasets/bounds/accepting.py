"""From a snapshot with a machine's labels to one whose accepted labels carry a bound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from edgefactory.datasets.bounds.judging import is_machines, wrong_labels
from edgefactory.datasets.bounds.ladder import Ladder, Scored, ladder
from edgefactory.datasets.bounds.ordering import calibration_order
from edgefactory.datasets.bounds.report import GroupReport
from edgefactory.datasets.bounds.sequence import lowest
from edgefactory.datasets.bounds.settings import BoundSettings
from edgefactory.datasets.bounds.shortage import pictures_needed
from edgefactory.datasets.documents import ErrorBound, Item, Snapshot
from edgefactory.datasets.errors import InputError

Booleans = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Bounded:
    """`snapshot`: the pool with the states and bounds of its labels, and its header's bounds, set.

    In reviewed items only what people said is left. `pictures` of the pool were drawn and
    reviewed.
    """

    snapshot: Snapshot
    groups: tuple[GroupReport, ...]
    pictures: int


def bounded(pool: Snapshot, settings: BoundSettings) -> Bounded:
    """Accept what can be accepted of the machine's labels in `pool` under the bound asked.

    Every item of `pool` carries the machine's labels (`origin` "teacher:..." and `state` accepted
    or queued, the machine's own verdict is not looked at), a reviewed item beside them what people
    said of it. What the machine says must not depend on what people said. The sample is the
    beginning of the calibration order, as far as it has been reviewed; classes of which the machine
    found nothing have no part in it. Raises `InputError` where the labels are not of one teacher,
    or the sample that `settings` name has not been reviewed.
    """
    teacher = _teacher(pool.items)
    order = {
        id_: place
        for place, id_ in enumerate(calibration_order((i.id for i in pool.items), settings.seed))
    }
    reviewed = np.zeros(len(order), np.bool_)
    reviewed[[order[item.id] for item in pool.items if item.reviewed]] = True
    sample = _sample(reviewed, settings)
    groups = _groups(pool, settings, order, reviewed)
    error = (1 - settings.confidence) / settings.tries / max(1, len(groups))
    reports: list[GroupReport] = []
    bounds: dict[str, ErrorBound] = {}
    for classes, scored in groups.items():
        report = _verdict(classes, ladder(scored, sample), settings.max_error, error)
        reports.append(report)
        if report.threshold is not None:
            bound = _bound(report, settings, teacher, order)
            bounds |= dict.fromkeys(classes, bound)
    items = tuple(_settled(item, bounds) for item in pool.items)
    stated = tuple(dict.fromkeys(bounds.values()))
    return Bounded(replace(pool, items=items, bounds=stated), tuple(reports), sample)


def _sample(reviewed: Booleans, settings: BoundSettings) -> int:
    """How many pictures from the calibration order's beginning on are the sample."""
    there = int(np.logical_and.accumulate(reviewed).sum())
    if settings.sample is None:
        return there
    if settings.sample > there:
        raise InputError(
            f"sample of {settings.sample} pictures: only the first {there} of the calibration "
            f"order (seed {settings.seed}) are reviewed; review the others first"
        )
    return settings.sample


def _teacher(items: Sequence[Item]) -> str:
    found = {label.origin for item in items for label in item.labels if is_machines(label)}
    if len(found) > 1:
        raise InputError(
            f"machine's labels of {len(found)} teachers: a bound speaks of one; run `label auto`"
        )
    return found.pop() if found else ""


def _groups(
    pool: Snapshot,
    settings: BoundSettings,
    order: Mapping[str, int],
    reviewed: Booleans,
) -> dict[tuple[str, ...], Scored]:
    """The machine's labels by the classes that share a threshold."""
    rows: dict[str, list[tuple[float, int, bool]]] = {}
    for item in pool.items:
        verdicts = iter(wrong_labels(item, settings.iou)) if item.reviewed else _unknown()
        for label in filter(is_machines, item.labels):
            row = (label.score, order[item.id], next(verdicts))
            rows.setdefault(label.class_, []).append(row)
    names = [name for name in pool.classes if name in rows]
    together = (
        [(name,) for name in names] if settings.per_class else [tuple(names)] if names else []
    )
    return {
        classes: _scored([row for name in classes for row in rows[name]], reviewed)
        for classes in together
    }


def _unknown() -> Iterator[bool]:
    while True:
        yield False


def _scored(
    rows: Sequence[tuple[float, int, bool]],
    reviewed: Booleans,
) -> Scored:
    score, picture, wrong = zip(*rows, strict=True)
    return Scored(
        np.asarray(score, np.float64),
        np.asarray(picture, np.int64),
        np.asarray(wrong, np.bool_),
        reviewed,
    )


def _verdict(
    classes: tuple[str, ...], counts: Ladder, max_error: float, error: float
) -> GroupReport:
    step = lowest(counts, max_error, error)
    shown = -1 if step is None else step
    left = counts.labels - counts.reviewed_labels
    needed, expected = pictures_needed(counts, max_error, error) if step is None else (None, None)
    return GroupReport(
        classes,
        threshold=None if step is None else float(counts.thresholds[step]),
        labels=int(left[-1]),
        accepted=0 if step is None else int(left[step]),
        checked=int(counts.sample_labels[:, shown].sum()),
        wrong=int(counts.sample_wrong[:, shown].sum()),
        needed=needed,
        expected=expected,
    )


def _bound(
    report: GroupReport, settings: BoundSettings, teacher: str, order: Iterable[str]
) -> ErrorBound:
    """The statement in the snapshot's words; its id is of what it says and of which pictures."""
    assert report.threshold is not None
    name = sha256(f"{report}|{settings}|{teacher}".encode())
    for id_ in order:
        name.update(id_.encode())
    return ErrorBound(
        id=name.hexdigest()[:16],
        classes=report.classes,
        max_error=settings.max_error,
        confidence=settings.confidence,
        threshold=report.threshold,
        labels=report.accepted,
        checked=report.checked,
        wrong=report.wrong,
        method=f"learn-then-test; seed {settings.seed}; IoU {settings.iou}",
        teacher=teacher,
    )


def _settled(item: Item, bounds: Mapping[str, ErrorBound]) -> Item:
    """The item with its machine's labels accepted or queued, or without them if it is reviewed."""
    labels = []
    for label in item.labels:
        if not is_machines(label):
            labels.append(replace(label, bound=None))
        elif not item.reviewed:
            bound = bounds.get(label.class_)
            if bound is None or label.score < bound.threshold:
                labels.append(replace(label, state="queued", bound=None))
            else:
                labels.append(replace(label, state="accepted", bound=bound.id))
    return replace(item, labels=tuple(labels))
