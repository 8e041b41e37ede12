"""What a format can express comes back exactly; what it cannot is counted, to the last label."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgefactory.datasets import Item, Snapshot, header_of, read_manifest, snapshot_digest
from edgefactory.datasets.documents import Task
from edgefactory.datasets.formats import (
    FORMS,
    STANDING,
    ImportSettings,
    export_data_set,
    import_data_set,
)

from .making import put, snapshots

PAIRS: list[tuple[str, Task]] = [
    ("coco", "detection"),
    ("yolo", "detection"),
    ("voc", "detection"),
    ("folders", "classification"),
    ("pictures", "detection"),
    ("pictures", "classification"),
]
PLAIN = st.sampled_from(
    ["person", "car", "ä", "two words", "日本", "train", "<&>", "#1", "yes: no"]
)
WILD = PLAIN | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
AS_BEFORE = ImportSettings(name="set")


def same_pictures(name: str, snapshot: Snapshot) -> tuple[Item, ...]:
    """The pictures that a format has a place for."""
    if name != "folders":
        return snapshot.items
    return tuple(i for i in snapshot.items if any(one.state in STANDING for one in i.labels))


def difference(before: Snapshot, after: Snapshot) -> Counter[str]:
    """By how much two snapshots really differ, counted without the code under test."""
    found: Counter[str] = Counter()
    own = {item.id: item for item in after.items}
    for old in before.items:
        new = own.pop(old.id, None)
        if new is None:
            found.update({"pictures": 1, "labels": len(old.labels)})
            continue
        kept = [one for one in old.labels if one.state in STANDING] if new.labels else []
        found["labels"] += len(old.labels) - len(new.labels)
        found["names"] += old.name != new.name
        found["splits"] += old.split != new.split
        found["sources"] += old.source != new.source
        found["times"] += old.frame != new.frame or old.captured_at != new.captured_at
        found["marks of review"] += old.reviewed != new.reviewed
        for one, other in zip(kept, new.labels, strict=True):
            assert one.class_ == other.class_
            found["exact edges of boxes"] += one.box != other.box
            found["origins"] += one.origin != other.origin
            found["scores"] += one.score != other.score
            found["states"] += one.state != other.state
            found["ignore marks"] += one.ignore != other.ignore
            found["marks of a bound"] += one.bound != other.bound
    assert not own
    found["bounds"] += len(before.bounds) - len(after.bounds)
    found["classes"] += len(before.classes) - len(after.classes)
    found["task"] += before.task != after.task
    found["who labelled the test split"] += before.test_labels != after.test_labels
    found["digest of the truth"] += before.truth_sha256 != after.truth_sha256
    return +found


@pytest.mark.parametrize(("name", "task"), PAIRS)
@given(data=st.data())
@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])
def test_out_and_in_again(name: str, task: Task, data: st.DataObject) -> None:
    form = FORMS[name]
    classes = WILD.filter(form.check_class) if name in ("coco", "yolo") else PLAIN
    snapshot = data.draw(snapshots(task, classes.filter(form.check_class)))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        before = put(root / "0", header_of(snapshot), *snapshot.items)
        if not same_pictures(name, before):
            return
        told = export_data_set((name, form), root / "0", root / "out", STANDING)
        once = import_data_set(form, root / "out", root / "1", AS_BEFORE)
        after = read_manifest(root / "1")
        assert {item.id for item in after.items} == {i.id for i in same_pictures(name, before)}
        assert dict(told.lost) == dict(difference(before, after))
        assert not once.counts

        again = export_data_set((name, form), root / "1", root / "again", STANDING)
        twice = import_data_set(form, root / "again", root / "2", AS_BEFORE)
        assert not again.lost
        assert twice.digest == snapshot_digest(root / "1")
