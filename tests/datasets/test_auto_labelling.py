"""A snapshot labelled by a teacher in real worker processes: kept, replaced, resumed, refused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from edgefactory.datasets.auto_labelling import AutoLabelSettings, auto_label, batches
from edgefactory.datasets.bounds import BoundSettings, calibration_order
from edgefactory.datasets.carrying import write_snapshot
from edgefactory.datasets.documents import Header, Item, Label, Snapshot
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.manifest import read_manifest, snapshot_digest
from edgefactory.datasets.snapshot import read_snapshot
from edgefactory.datasets.teachers import EngineSettings, TeacherSpec
from edgefactory.datasets.verdicts import VerdictSettings

from .snapshots import plain_pictures

FOUND = (6.4, 9.6, 19.2, 38.4)  # by the tiny teacher, with score 0.9, in 64x48 pixels
WEAK = (32.0, 9.6, 44.8, 38.4)  # with score 0.3
MINE = Label("person", (40.0, 5.0, 60.0, 45.0), "human:ann", 1.0, "reviewed")
HIS = Label("person", FOUND, "human:bob", 1.0, "reviewed")

MakeSnapshot = Callable[..., Path]


@pytest.fixture
def make_snapshot(tmp_path: Path) -> MakeSnapshot:
    """Writes a snapshot of plain pictures; `change` is done to each item, given its number."""

    def make(
        count: int = 10,
        change: Callable[[int, Item], Item] = lambda _index, item: item,
        header: Header | None = None,
    ) -> Path:
        contents = plain_pictures(count)
        items = []
        for index, key in enumerate(contents):
            plain = Item(
                key, f"images/{key}.png", 64, 48, "cam", index, index / 10, "train", (), f"{index}"
            )
            items.append(change(index, plain))
        header = header or Header("tiny", "detection", ("person",), "teacher")
        write_snapshot(tmp_path / "before", header, items, lambda item: contents[item.id])
        return tmp_path / "before"

    return make


@pytest.fixture
def settings(tiny_teacher: Path) -> AutoLabelSettings:
    """The tiny teacher in a process of its own, a picture at a time."""
    spec = TeacherSpec("person", file=str(tiny_teacher))
    return AutoLabelSettings((spec,), EngineSettings(engine="onnxruntime"), workers=1, batch=1)


def made(make_snapshot: MakeSnapshot, count: int) -> Snapshot:
    return read_manifest(make_snapshot(count))


def with_labels(item: Item, *labels: Label, reviewed: bool = False) -> Item:
    return msgspec.structs.replace(item, labels=labels, reviewed=reviewed)


@pytest.mark.component
def test_every_picture_is_labelled(
    make_snapshot: MakeSnapshot, settings: AutoLabelSettings, tiny_teacher: Path, tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    found = auto_label(
        replace(settings, workers=2),
        make_snapshot(),
        tmp_path / "after",
        lambda done, total, _text: seen.append((done, total)),
    )
    after = read_snapshot(tmp_path / "after")
    origin = f"teacher:{hashlib.sha256(tiny_teacher.read_bytes()).hexdigest()}"
    expected = (
        Label("person", FOUND, origin, 0.9, "accepted"),
        Label("person", WEAK, origin, 0.3, "queued"),
    )
    assert [item.labels for item in after.items] == [expected] * 10
    assert [item.name for item in after.items] == [f"{index}" for index in range(10)]
    assert (found.pictures, found.resumed, found.accepted, found.queued) == (10, 0, 10, 10)
    assert found.digest == snapshot_digest(tmp_path / "after")
    assert seen[1:] == [(done, 10) for done in range(11)]
    assert not list(tmp_path.glob(".after*"))


@pytest.mark.component
def test_people_are_kept_and_machines_replaced(
    make_snapshot: MakeSnapshot, settings: AutoLabelSettings, tmp_path: Path
) -> None:
    old = Label("person", (1.0, 1.0, 9.0, 9.0), "teacher:old", 0.9, "accepted")

    def change(index: int, item: Item) -> Item:
        if index == 0:
            return with_labels(item, MINE, reviewed=True)
        return with_labels(item, HIS, old) if index == 1 else with_labels(item, old)

    found = auto_label(settings, make_snapshot(3, change), tmp_path / "after")
    first, second, third = read_manifest(tmp_path / "after").items
    assert first.labels == (MINE,)
    assert [(label.origin[:7], label.box) for label in second.labels] == [
        ("human:b", FOUND),
        ("teacher", WEAK),
    ]
    assert [label.box for label in third.labels] == [FOUND, WEAK]
    assert (found.kept, found.accepted, found.queued) == (2, 1, 2)


@pytest.mark.component
def test_the_header_says_who_labelled_the_test_split(
    make_snapshot: MakeSnapshot, settings: AutoLabelSettings, tmp_path: Path
) -> None:
    def change(index: int, item: Item) -> Item:
        held_out = msgspec.structs.replace(item, split="test")
        return with_labels(held_out, MINE) if index == 0 else held_out

    human = Header("tiny", "detection", ("person",), "human")
    auto_label(settings, make_snapshot(2, change, human), tmp_path / "after")
    kept = read_manifest(tmp_path / "after")
    assert kept.test_labels == "human"
    assert [item.labels for item in kept.items] == [(MINE,), ()]
    imported = Header("tiny", "detection", (), "imported")
    without = make_snapshot(
        2, lambda _i, item: msgspec.structs.replace(item, split="test"), imported
    )
    auto_label(settings, without, tmp_path / "after")
    machines = read_manifest(tmp_path / "after")
    assert (machines.test_labels, machines.classes) == ("teacher", ("person",))


@pytest.mark.component
def test_an_interrupted_run_goes_on_with_other_thresholds_too(
    make_snapshot: MakeSnapshot, settings: AutoLabelSettings, tmp_path: Path
) -> None:
    before = make_snapshot()

    def stop(done: int, _total: int, _text: str) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        auto_label(settings, before, tmp_path / "after", stop)
    assert not (tmp_path / "after").exists()
    (journal,) = (tmp_path / ".after.labelling").iterdir()
    with journal.open("ab") as file:
        file.write(b'\n{"id": "0000')  # a kill in the middle of a line
    stricter = replace(settings, verdicts=VerdictSettings(accept=0.95, queue=0.35))
    found = auto_label(stricter, before, tmp_path / "after")
    assert (found.resumed, found.accepted, found.queued) == (4, 0, 10)
    fresh = auto_label(stricter, before, tmp_path / "elsewhere")
    assert (fresh.resumed, fresh.digest) == (0, found.digest)


@pytest.mark.component
def test_accepted_labels_carry_the_bound_that_was_asked_for(
    make_snapshot: MakeSnapshot, settings: AutoLabelSettings, tmp_path: Path
) -> None:
    checked = set(calibration_order((item.id for item in made(make_snapshot, 60).items), 0)[:40])

    def change(_index: int, item: Item) -> Item:
        return with_labels(item, HIS, reviewed=True) if item.id in checked else item

    asked = replace(
        settings,
        batch=10,
        verdicts=VerdictSettings(accept=0.95, queue=0.35),  # the bound accepts, not the score
        bound=BoundSettings(max_error=0.2, confidence=0.9),
    )
    found = auto_label(asked, make_snapshot(60, change), tmp_path / "after")
    after = read_manifest(tmp_path / "after")
    (stated,) = after.bounds
    (group,) = found.groups
    unchecked = [label for item in after.items if not item.reviewed for label in item.labels]
    assert len(unchecked) == stated.labels == group.accepted == found.accepted == 20
    assert {(label.state, label.bound) for label in unchecked} == {("accepted", stated.id)}
    assert all(item.labels == (HIS,) for item in after.items if item.reviewed)


@pytest.mark.component
def test_too_few_checked_pictures_accept_nothing(
    make_snapshot: MakeSnapshot, settings: AutoLabelSettings, tmp_path: Path
) -> None:
    bound = BoundSettings(max_error=0.05)
    found = auto_label(
        replace(settings, batch=10, bound=bound), make_snapshot(), tmp_path / "after"
    )
    assert (found.accepted, found.queued) == (0, 20)
    assert read_manifest(tmp_path / "after").bounds == ()


@pytest.mark.component
def test_another_way_of_looking_does_not_reuse_the_journal(
    make_snapshot: MakeSnapshot, settings: AutoLabelSettings, tmp_path: Path
) -> None:
    def stop(done: int, _total: int, _text: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    before = make_snapshot(4)
    with pytest.raises(KeyboardInterrupt):
        auto_label(settings, before, tmp_path / "after", stop)
    (spec,) = settings.teachers
    other = replace(settings, teachers=(msgspec.structs.replace(spec, min_score=0.5),))
    found = auto_label(other, before, tmp_path / "after")
    assert (found.resumed, found.queued) == (0, 0)


@pytest.mark.component
def test_a_picture_that_is_damaged_is_named_and_nothing_is_written(
    make_snapshot: MakeSnapshot, settings: AutoLabelSettings, tmp_path: Path
) -> None:
    before = make_snapshot(4)
    damaged = before / read_manifest(before).items[2].file
    damaged.write_bytes(damaged.read_bytes()[:40])
    with pytest.raises(InputError, match=damaged.name):
        auto_label(settings, before, tmp_path / "after")
    assert not (tmp_path / "after").exists()


def test_teacher_and_snapshot_must_fit(
    make_snapshot: MakeSnapshot, settings: AutoLabelSettings, tmp_path: Path
) -> None:
    cars = make_snapshot(1, header=Header("x", "detection", ("car", "bus"), "teacher"))
    with pytest.raises(InputError, match="knows person; the snapshot has car, bus: no class"):
        auto_label(settings, cars, tmp_path / "after")
    digits = make_snapshot(1, header=Header("x", "classification", ("0",), "teacher"))
    with pytest.raises(InputError, match="does detection, the snapshot is for classification"):
        auto_label(settings, digits, tmp_path / "after")


def test_a_folder_of_somebody_else_is_refused_before_any_work(
    make_snapshot: MakeSnapshot, settings: AutoLabelSettings, tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")

    def never(_done: int, _total: int, text: str) -> None:
        raise AssertionError(text)

    with pytest.raises(InputError, match="not replaced"):
        auto_label(settings, make_snapshot(1), tmp_path / "home", never)


def test_batches_are_small_where_pictures_are_large() -> None:
    def item(key: int, side: int) -> Item:
        digest = f"{key:064x}"
        return Item(digest, f"images/{digest}.jpg", side, side, "cam", key, 0.0, "train", (MINE,))

    sides = [100, 100, 100, 7000, 7000, 9000, 100]
    found = list(batches((item(key, side) for key, side in enumerate(sides)), 2))
    assert [[one.width for one in batch] for batch in found] == [
        [100, 100],
        [100, 7000],
        [7000],
        [9000],
        [100],
    ]
    assert not any(one.labels for batch in found for one in batch)


def test_settings_that_make_no_sense_are_refused(settings: AutoLabelSettings) -> None:
    with pytest.raises(InputError, match=r"1\.\.256 workers"):
        replace(settings, workers=0)
    with pytest.raises(InputError, match=r"batches of 1\.\.64"):
        replace(settings, batch=0)
