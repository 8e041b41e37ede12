"""Pictures and labels become what a network learns from, in memory or in a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edgefactory.datasets import Snapshot, header_of, read_snapshot, write_manifest
from edgefactory.datasets.errors import InputError
from edgefactory.training import Recipe
from edgefactory.training.examples import Examples, load_examples, load_unlabelled
from edgefactory.training.recipe import Distil
from edgefactory.training.targets import ClassTargets, Marks

from .conftest import write_snapshot

DETECTION = Recipe(resolution=(64, 48))
CLASSES = Recipe(task="classification", resolution=(16, 16))


def relabelled(folder: Path, **changes: object) -> Snapshot:
    """The snapshot with the first label of its first picture changed."""
    snapshot = read_snapshot(folder)
    first, *rest = snapshot.items
    label, *others = first.labels
    label = msgspec.structs.replace(label, **changes)
    changed = msgspec.structs.replace(first, labels=(label, *others))
    return msgspec.structs.replace(snapshot, items=(changed, *rest))


def loaded(
    folder: Path, recipe: Recipe, snapshot: Snapshot | None = None, scratch: Path | None = None
) -> Examples:
    found = load_examples(folder, snapshot or read_snapshot(folder), "train", recipe, scratch)
    assert found is not None
    return found


def first_marks(folder: Path, distil: Distil, **changes: object) -> Marks:
    recipe = msgspec.structs.replace(DETECTION, distil=distil)
    targets = loaded(folder, recipe, relabelled(folder, **changes)).targets
    assert not isinstance(targets, ClassTargets)
    return targets[0]


def test_labels_pull_alike_unless_their_scores_weigh(snapshot: Path) -> None:
    assert first_marks(snapshot, Distil(), score=0.25).weights[0] == 1.0
    assert first_marks(snapshot, Distil(weighting=1.0), score=0.25).weights[0] == 0.25
    assert first_marks(snapshot, Distil(weighting=0.5), score=0.25).weights[0] == 0.5


def test_a_doubtful_label_asks_for_less_where_the_recipe_is_soft(snapshot: Path) -> None:
    for soft, height in ((0.0, 1.0), (0.5, 0.75), (1.0, 0.5)):
        marks = first_marks(snapshot, Distil(soft=soft), score=0.5)
        assert marks.heights[0] == height
        assert marks.weights[0] == 1.0


@pytest.mark.parametrize(
    ("changes", "there", "ignored"),
    [
        ({}, 1, False),
        ({"state": "reviewed"}, 1, False),
        ({"state": "queued"}, 1, True),
        ({"ignore": True}, 1, True),
        ({"state": "rejected"}, 0, None),
    ],
)
def test_the_state_of_a_label_decides(
    snapshot: Path, changes: dict[str, object], there: int, ignored: bool | None
) -> None:
    before = first_marks(snapshot, Distil())
    marks = first_marks(snapshot, Distil(), **changes)
    assert len(marks) == len(before) - 1 + there
    if there:
        assert bool(marks.ignore[0]) is ignored


def test_the_val_split_is_judged_by_labels_as_they_are(snapshot: Path) -> None:
    recipe = msgspec.structs.replace(DETECTION, distil=Distil(weighting=2.0, soft=1.0))
    found = load_examples(snapshot, read_snapshot(snapshot), "val", recipe)
    assert found is not None
    assert not isinstance(found.targets, ClassTargets)
    assert all((m.weights == 1).all() and (m.heights == 1).all() for m in found.targets)


def test_a_class_comes_from_the_first_label_that_teaches(vouchers: Path) -> None:
    def first(**changes: object) -> tuple[int, float]:
        targets = loaded(vouchers, CLASSES, relabelled(vouchers, **changes)).targets
        assert isinstance(targets, ClassTargets)
        return int(targets.labels[0]), float(targets.weights[0])

    assert first(class_="light") == (1, 1.0)
    assert first(class_="dark") == (0, 1.0)
    for silent in ({"state": "queued"}, {"state": "rejected"}, {"ignore": True}):
        assert first(class_="light", **silent) == (0, 0.0)


def test_a_large_set_lies_in_a_file_and_is_taken_up_again(
    snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    small = loaded(snapshot, DETECTION, scratch=scratch)
    assert not any(scratch.iterdir())
    monkeypatch.setattr("edgefactory.training.examples.IN_MEMORY", 1000)
    first = loaded(snapshot, DETECTION, scratch=scratch)
    assert isinstance(first.pictures, np.memmap)
    assert [path.name for path in scratch.iterdir()] == ["train.pictures"]
    monkeypatch.setattr("edgefactory.training.examples.preprocess", _never)
    again = loaded(snapshot, DETECTION, scratch=scratch)
    for found in (first, again):
        assert (found.pictures == small.pictures).all()
        assert [m.boxes.tolist() for m in found.targets] == [  # type: ignore[union-attr] # detection's are marks
            m.boxes.tolist()
            for m in small.targets  # type: ignore[union-attr] # see above
        ]


def _never(*_: object) -> None:
    raise AssertionError("the pictures are there already")


def test_half_a_file_is_made_anew(
    snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgefactory.training.examples.IN_MEMORY", 1000)
    (tmp_path / "train.pictures").write_bytes(b"half")
    found = loaded(snapshot, DETECTION, scratch=tmp_path)
    assert (found.pictures == loaded(snapshot, DETECTION).pictures).all()


def test_pictures_of_the_file_may_be_changed_in_memory(
    snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch warns of memory that is not writable, and the file must stay as it is."""
    monkeypatch.setattr("edgefactory.training.examples.IN_MEMORY", 1000)
    made = loaded(snapshot, DETECTION, scratch=tmp_path).pictures.copy()
    again = loaded(snapshot, DETECTION, scratch=tmp_path).pictures
    assert again.flags.writeable
    again[:] = 0
    assert (loaded(snapshot, DETECTION, scratch=tmp_path).pictures == made).all()


def test_unlabelled_pictures_are_all_but_those_that_test(tmp_path: Path) -> None:
    other = write_snapshot(tmp_path / "other", "detection")
    recipe = msgspec.structs.replace(
        DETECTION, distil=Distil(consistency=1.0, unlabelled=str(other))
    )
    found = load_unlabelled(recipe, None, None)
    assert found is not None
    assert len(found) == 18
    assert all(len(marks) == 0 for marks in found.targets)  # type: ignore[union-attr] # detection's are marks
    assert load_unlabelled(DETECTION, None, None) is None


def test_another_snapshot_without_pictures_is_named(tmp_path: Path) -> None:
    other = write_snapshot(tmp_path / "other", "detection")
    snapshot = read_snapshot(other)
    items = [msgspec.structs.replace(item, split="test") for item in snapshot.items]
    write_manifest(other, header_of(snapshot), items)
    distil = Distil(consistency=1.0, unlabelled=str(other))
    with pytest.raises(InputError, match="other has no pictures outside of its test split"):
        load_unlabelled(msgspec.structs.replace(DETECTION, distil=distil), None, None)


def test_truths_are_what_is_asked_for_and_what_is_ignored(snapshot: Path) -> None:
    found = loaded(snapshot, DETECTION, relabelled(snapshot, ignore=True))
    truth = found.truths()[0]
    assert truth.ignore.tolist()[0] is True
    nothing = replace(found, targets=tuple(m.at(m.weights < 0) for m in found.targets))  # type: ignore[union-attr] # see above
    assert len(nothing.truths()[0].boxes) == 0
