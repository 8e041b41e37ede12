"""The check of a snapshot: everything that can be looked for, one report.

Pictures are read once. What needs a model that is not here is named in the report as skipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgefactory.datasets.checks.agreement import find_doubts
from edgefactory.datasets.checks.balance import find_imbalance
from edgefactory.datasets.checks.boxes import find_odd_boxes
from edgefactory.datasets.checks.confident import LabelError, find_label_errors
from edgefactory.datasets.checks.duplicates import Pair, exact_pairs, find_duplicates
from edgefactory.datasets.checks.findings import CheckReport, Finding, Kind, arranged, counted
from edgefactory.datasets.checks.leaks import find_neighbours, splits_of
from edgefactory.datasets.checks.learner import folds, out_of_fold
from edgefactory.datasets.checks.looking import Known, Looked, look
from edgefactory.datasets.checks.measuring import Measures
from edgefactory.datasets.checks.quality import find_faults
from edgefactory.datasets.checks.scenes import Emptiness, Scene, find_scenes
from edgefactory.datasets.checks.table import Table, tabulate
from edgefactory.datasets.documents import Box, Progress
from edgefactory.datasets.manifest import read_header, snapshot_digest, stream_items
from edgefactory.datasets.teachers import Teacher

_FEWEST: Final = 20  # labels that a small learner needs to say anything
_ROUNDS: Final = 2  # of confident learning: the second learns without what the first doubted
_BY_TEACHER: Final[tuple[Kind, ...]] = ("missing-box", "misplaced-box", "unseen-box")
_OF_PHOTOGRAPHS: Final[tuple[Kind, ...]] = (
    "near-duplicate",
    "dark",
    "over-exposed",
    "blurred",
    "occluded",
)


def check_manifest(table: Table) -> list[Finding]:
    """What the manifest alone tells: odd boxes, class imbalance, neighbours across splits."""
    findings = [
        Finding("class-imbalance", found.score, found.text, expected=found.name)
        for found in find_imbalance(table)
    ]
    for odd in find_odd_boxes(table) if table.header.task == "detection" else ():
        place, box = int(table.label_place[odd.label]), table.box(odd.label)
        item = table.id(int(table.label_item[odd.label]))
        findings.append(Finding("odd-box", odd.score, odd.text, (item,), place, box))
    for near in find_neighbours(table):
        pair = (table.id(near.held_out), table.id(near.other))
        splits = splits_of(table, near.held_out, near.other)
        text = f"{splits}: frames of one video, {near.seconds:.2f} s apart"
        findings.append(Finding("leak", 0.5, text, pair))
    return findings


def check_data(
    folder: Path, teacher: Teacher | None = None, progress: Progress | None = None
) -> CheckReport:
    """Check the snapshot in `folder`, with what `teacher` sees where one is given.

    Raises `InputError` or `MissingError` for a snapshot that is not whole, and `InputError` for a
    teacher of another task or of other classes.
    """
    told = progress or (lambda _done, _total, _text: None)
    told(0, 0, "reading the manifest")
    table = tabulate(read_header(folder), stream_items(folder))
    known = None if teacher is None else Known(teacher, table)
    looked = look(folder, table, stream_items(folder), known, told)
    skipped = _skipped(table, looked)
    told(0, 0, "comparing pictures")
    scenes = find_scenes(looked.measures, table.source)
    findings = [
        *check_manifest(table),
        *_pictures(table, looked.measures, scenes),
        *_labels(table, looked, skipped, told),
        *_boxes(table, looked, scenes),
    ]
    return CheckReport(
        snapshot_digest(folder),
        table.header.name,
        table.header.task,
        len(table),
        counted(findings, skipped),
        skipped,
        arranged(findings),
        None if teacher is None else teacher.digest,
    )


def _skipped(table: Table, looked: Looked) -> dict[Kind, str]:
    """The kinds that cannot be looked for, and why."""
    reasons: dict[Kind, str] = {}
    if table.header.task == "classification":
        reasons |= dict.fromkeys((*_BY_TEACHER, "odd-box"), "a classification has no boxes")
    elif not looked.compared:
        reasons |= dict.fromkeys(_BY_TEACHER, "needs a teacher that finds these classes")
    if looked.features is None and looked.probabilities is None:
        reasons["label-error"] = "there is one class only"
    elif len(table.label_item) < _FEWEST:
        reasons["label-error"] = f"needs {_FEWEST} labels; there are {len(table.label_item)}"
    if table.header.signal is not None:
        reasons |= dict.fromkeys(_OF_PHOTOGRAPHS, "these pictures are sequences, no photographs")
    return reasons


def _pictures(table: Table, measures: Measures, scenes: Sequence[Scene]) -> Iterator[Finding]:
    if table.header.signal is not None:  # quiet is not dark, and two silences are no copies
        for pair in exact_pairs(measures.digest):
            yield _duplicate(table, pair)
        return
    faults = find_faults(measures, table.source, scenes)
    for fault in faults:
        yield Finding(fault.kind, fault.score, fault.text, (table.id(fault.picture),))
    bad = frozenset(fault.picture for fault in faults)
    for pair in find_duplicates(measures, scenes, bad):
        yield _duplicate(table, pair)


def _duplicate(table: Table, pair: Pair) -> Finding:
    """A pair across splits is a leak; the picture to look at is the later split's."""
    how = "every pixel is equal" if pair.exact else f"up to {pair.difference:.0f} grey levels apart"
    leak = table.split[pair.a] != table.split[pair.b]
    later, other = (
        (pair.a, pair.b) if table.split[pair.a] > table.split[pair.b] else (pair.b, pair.a)
    )
    text = f"{splits_of(table, later, other)}: {how}" if leak else how
    score = 1.0 if pair.exact else max(0.0, 1 - pair.difference / 20)
    kind: Kind = "leak" if leak else "exact-duplicate" if pair.exact else "near-duplicate"
    return Finding(kind, score, text, (table.id(later), table.id(other)))


def _labels(
    table: Table, looked: Looked, skipped: dict[Kind, str], told: Progress
) -> Iterator[Finding]:
    if "label-error" in skipped:
        return
    classes = table.header.classes
    by = "the teacher" if looked.probabilities is not None else "others like it"
    for error in _errors(table, looked, told):
        given = classes[int(table.label_class[error.sample])]
        text = f"labelled {given}; {by} would be {classes[error.expected]}"
        if looked.probabilities is not None:
            text = f"labelled {given}; the teacher sees {classes[error.expected]}"
        item = table.id(int(table.label_item[error.sample]))
        place, box = int(table.label_place[error.sample]), table.box(error.sample)
        yield Finding(
            "label-error", error.margin, text, (item,), place, box, classes[error.expected]
        )


def _errors(table: Table, looked: Looked, told: Progress) -> list[LabelError]:
    labels = _single(table)
    if looked.probabilities is not None:
        return find_label_errors(looked.probabilities[table.label_item], labels)
    assert looked.features is not None
    features = looked.features.astype(np.float32)
    fold = folds(table.source[table.label_item])
    learned, errors = labels.copy(), []
    for turn in range(_ROUNDS):

        def report(done: int, total: int, turn: int = turn) -> None:
            told(done, total, f"learning from the labels, turn {turn + 1} of {_ROUNDS}")

        count = len(table.header.classes)
        probabilities = out_of_fold(features, learned, fold, count, report)
        errors = find_label_errors(probabilities, labels)
        learned = labels.copy()
        learned[[error.sample for error in errors]] = -1
    return errors


def _single(table: Table) -> NDArray[np.int64]:
    """The labels' classes; -1 for those of pictures that have several labels as a whole."""
    labels = table.label_class.astype(np.int64)
    if table.header.task == "classification":
        several = np.bincount(table.label_item, minlength=len(table))[table.label_item] > 1
        labels[several] = -1
    return labels


def _boxes(table: Table, looked: Looked, scenes: Sequence[Scene]) -> Iterator[Finding]:
    emptiness = Emptiness(scenes, looked.measures.thumb)

    def empty(picture: int, box: Box) -> bool | None:
        width, height = table.size[picture].tolist()
        return emptiness(
            picture, (box[0] / width, box[1] / height, box[2] / width, box[3] / height)
        )

    for doubt in find_doubts(looked.compared, table.header.classes, empty):
        item = (table.id(doubt.picture),)
        yield Finding(
            doubt.kind, doubt.score, doubt.text, item, doubt.label, doubt.box, doubt.expected
        )
