"""Against a real Label Studio: what goes out is there once, what people say comes back."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from edgefactory.datasets.documents import Item, Label
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.manifest import read_manifest
from edgefactory.datasets.studio import (
    Account,
    Project,
    Pulled,
    Pushed,
    PushSettings,
    Studio,
    local_urls,
    pull,
    push,
    status,
    uploaded_urls,
    waiting,
)

from .conftest import BOX, TEACHER, Reviewer, changed, silent

# The first time on a machine the server is installed, which takes minutes.
pytestmark = [pytest.mark.component, pytest.mark.timeout(2400)]

OTHER = (50.0, 10.0, 80.0, 50.0)
ADMIN = 1


def bring(studio: Studio, account: Account, folder: Path, **more: Any) -> Pushed:
    """Push what waits in the snapshot to the local server."""
    snapshot = read_manifest(folder)
    wanted = {"title": snapshot.name, "chosen": waiting(snapshot)} | more
    shown = partial(local_urls, studio, folder=folder, pictures=Path(account.pictures))
    return push(studio, snapshot, PushSettings(**wanted), shown, silent)


def project_of(studio: Studio, folder: Path) -> Project:
    project = studio.project(read_manifest(folder).name)
    assert project is not None
    return project


def fetch(studio: Studio, folder: Path, out: Path) -> Pulled:
    return pull(studio, project_of(studio, folder), folder, out, silent)


def by_person(account: Account, box: Any = BOX, class_: str = "person") -> Label:
    return Label(class_, box, f"human:{account.user}", 1.0, "reviewed")


@pytest.fixture
def admin(studio: Studio, account: Account, http: httpx.Client, four: Path) -> Reviewer:
    """The server's first user, in the project of `four`, where three pictures wait."""
    bring(studio, account, four)
    return Reviewer(http, ADMIN, project_of(studio, four).id)


def test_what_waits_is_there_once_with_its_picture_and_labels(
    studio: Studio, account: Account, four: Path, admin: Reviewer
) -> None:
    assert bring(studio, account, four) == Pushed(added=0, refreshed=0, left=3)
    items = read_manifest(four).items
    tasks = admin.tasks()
    assert [task["data"]["sample"] for task in tasks] == [item.id for item in items[:3]]
    (prediction,) = tasks[0]["predictions"]
    (region,) = prediction["result"]
    assert region["value"]["rectanglelabels"] == ["person"]
    assert region["value"]["x"] == pytest.approx(100 * BOX[0] / 96)
    assert admin.picture(tasks[0]) == (four / items[0].file).read_bytes()
    assert httpx.get(account.url + tasks[0]["data"]["image"], timeout=120).status_code == 401


def test_a_push_goes_on_in_the_order_given(
    studio: Studio, account: Account, http: httpx.Client, four: Path
) -> None:
    ids = [item.id for item in read_manifest(four).items]
    bring(studio, account, four, chosen=ids[1:2])
    assert bring(studio, account, four, chosen=[ids[3], ids[1], ids[0]]) == Pushed(2, 0, 1)
    tasks = Reviewer(http, ADMIN, project_of(studio, four).id).tasks()
    assert [task["data"]["sample"] for task in tasks] == [ids[1], ids[3], ids[0]]


def test_newer_labels_replace_the_older_but_not_where_somebody_answered(
    studio: Studio, account: Account, four: Path, admin: Reviewer, tmp_path: Path
) -> None:
    admin.answer(admin.tasks()[0], ("person", BOX))

    def moved(item: Item) -> Item:
        label = Label("car", OTHER, TEACHER, 0.4, "queued")
        return msgspec.structs.replace(item, labels=(label,)) if item.split == "train" else item

    newer = changed(four, tmp_path / "newer", moved)
    assert bring(studio, account, newer) == Pushed(added=0, refreshed=1, left=2)
    assert bring(studio, account, newer) == Pushed(added=0, refreshed=0, left=3)
    shown = [prediction["result"] for task in admin.tasks() for prediction in task["predictions"]]
    assert [result[0]["value"]["rectanglelabels"] for result in shown] == [
        ["person"],
        ["car"],
        ["person"],
    ]


def test_an_answer_becomes_reviewed_labels(
    studio: Studio, account: Account, four: Path, admin: Reviewer, tmp_path: Path
) -> None:
    first, _, third, last = read_manifest(four).items
    tasks = admin.tasks()
    admin.answer(tasks[0], ("person", BOX), ("car", OTHER))
    admin.answer(tasks[1])
    admin.answer(tasks[2], was_cancelled=True)
    pulled = fetch(studio, four, tmp_path / "out")
    assert (pulled.reviewed, pulled.new, pulled.conflicts) == (2, 2, ())
    after = read_manifest(tmp_path / "out").items
    assert after[0].reviewed
    assert after[0].labels == (by_person(account), by_person(account, OTHER, "car"))
    assert (after[1].reviewed, after[1].labels) == (True, ())
    assert after[2:] == (third, last)
    assert (tmp_path / "out" / first.file).read_bytes() == (four / first.file).read_bytes()


def test_edits_and_deletions_are_noticed(
    studio: Studio, account: Account, four: Path, admin: Reviewer, tmp_path: Path
) -> None:
    tasks = admin.tasks()
    kept, gone = (admin.answer(task, ("person", BOX)) for task in tasks[:2])
    fetch(studio, four, tmp_path / "one")
    again = fetch(studio, four, tmp_path / "again")
    assert (again.reviewed, again.new, again.edited, again.deleted) == (2, 0, 0, 0)
    admin.edit(kept, ("car", OTHER))
    admin.delete(f"/api/annotations/{gone}")
    admin.answer(tasks[2], ("person", BOX))
    pulled = fetch(studio, tmp_path / "one", tmp_path / "two")
    assert (pulled.reviewed, pulled.new, pulled.edited, pulled.deleted) == (2, 1, 1, 1)
    after = read_manifest(tmp_path / "two").items
    assert after[0].labels == (by_person(account, OTHER, "car"),)
    # What was taken back waits again, with what was said as the proposal.
    assert not after[1].reviewed
    assert after[1].labels == (msgspec.structs.replace(by_person(account), state="queued"),)
    # In the snapshot before all answers there is nothing to take back.
    fetch(studio, four, tmp_path / "three")
    assert read_manifest(tmp_path / "three").items[1] == read_manifest(four).items[1]


def test_a_deleted_task_takes_its_answers_along(
    studio: Studio, four: Path, admin: Reviewer, tmp_path: Path
) -> None:
    task = admin.tasks()[0]
    admin.answer(task, ("person", BOX))
    fetch(studio, four, tmp_path / "one")
    admin.delete(f"/api/tasks/{task['id']}")
    assert fetch(studio, tmp_path / "one", tmp_path / "two").deleted == 1
    assert not read_manifest(tmp_path / "two").items[0].reviewed


def test_people_who_differ_are_a_conflict_until_one_answer_is_starred(
    studio: Studio, account: Account, four: Path, admin: Reviewer, bob: int, tmp_path: Path
) -> None:
    items, tasks = read_manifest(four).items, admin.tasks()
    other = Reviewer(admin.http, bob, admin.project)
    for task in tasks[:2]:
        admin.answer(task, ("person", BOX))
    near = (11.0, 12.0, 40.0, 44.0)
    other.answer(tasks[0], ("person", near))
    differing = other.answer(tasks[1], ("person", OTHER))
    pulled = fetch(studio, four, tmp_path / "one")
    (conflict,) = pulled.conflicts
    assert (conflict.item, conflict.f) == (items[1].id, 0.0)
    assert conflict.people == tuple(sorted([account.user, "bob@example.org"]))
    (pair,) = pulled.agreement.pairs
    assert (pair.pictures, pair.f) == (2, 0.5)
    after = read_manifest(tmp_path / "one").items
    assert (after[0].reviewed, after[1]) == (True, items[1])
    other.edit(differing, ("person", OTHER), ground_truth=True)
    assert fetch(studio, four, tmp_path / "two").conflicts == ()
    (label,) = read_manifest(tmp_path / "two").items[1].labels
    assert (label.origin, label.box) == ("human:bob@example.org", OTHER)


def test_a_reviewed_test_split_is_human(
    studio: Studio, account: Account, http: httpx.Client, four: Path, tmp_path: Path
) -> None:
    bring(studio, account, four, chosen=[read_manifest(four).items[3].id])
    admin = Reviewer(http, ADMIN, project_of(studio, four).id)
    admin.answer(admin.tasks()[0], ("person", BOX))
    fetch(studio, four, tmp_path / "out")
    assert read_manifest(tmp_path / "out").test_labels == "human"


def test_status_counts_what_is_left_and_how_long_it_takes(
    studio: Studio, account: Account, http: httpx.Client, four: Path
) -> None:
    snapshot = read_manifest(four)
    bring(studio, account, four, chosen=waiting(snapshot)[:2], reviewers=2)
    project = project_of(studio, four)
    before = status(studio, project, snapshot, silent)
    assert (before.tasks, before.answered, before.open_answers) == (2, 0, 4)
    assert (before.unpushed, before.seconds_left) == (1, None)
    admin = Reviewer(http, ADMIN, project.id)
    first, second = admin.tasks()
    admin.answer(first, ("person", BOX))
    admin.answer(second, was_cancelled=True)
    after = status(studio, project, snapshot, silent)
    assert (after.answered, after.open_answers, after.seconds_left) == (0, 2, 8.0)
    (person,) = after.people
    assert (person.who, person.answers, person.skipped) == (account.user, 2, 1)


def test_a_server_elsewhere_is_sent_the_pictures_once(
    studio: Studio, http: httpx.Client, four: Path
) -> None:
    snapshot = read_manifest(four)
    shown = partial(uploaded_urls, studio, folder=four)
    two = PushSettings(snapshot.name, waiting(snapshot)[:2])
    push(studio, snapshot, two, shown, silent)
    everything = PushSettings(snapshot.name, waiting(snapshot))
    assert push(studio, snapshot, everything, shown, silent) == Pushed(1, 0, 2)
    project = project_of(studio, four)
    assert len(studio.uploads(project)) == 3
    admin = Reviewer(http, ADMIN, project.id)
    for task, item in zip(admin.tasks(), snapshot.items, strict=False):
        assert admin.picture(task) == (four / item.file).read_bytes()


def test_labels_that_the_project_does_not_have_are_refused(
    studio: Studio, four: Path, admin: Reviewer
) -> None:
    before = read_manifest(four)
    dog = Label("dog", BOX, TEACHER, 0.4, "queued")
    items = tuple(msgspec.structs.replace(item, labels=(dog,)) for item in before.items)
    odd = msgspec.structs.replace(before, classes=("dog",), items=items)
    settings = PushSettings(odd.name, waiting(odd))
    with pytest.raises(InputError, match="cannot show the labels of the picture"):
        push(studio, odd, settings, partial(uploaded_urls, studio, folder=four), silent)


def test_a_turned_box_names_person_and_picture(
    studio: Studio, account: Account, four: Path, admin: Reviewer, tmp_path: Path
) -> None:
    first = read_manifest(four).items[0]
    turned = {"x": 1, "y": 1, "width": 9, "height": 9, "rotation": 30, "rectanglelabels": ["car"]}
    region = {"from_name": "label", "to_name": "image", "type": "rectanglelabels", "value": turned}
    admin.answer(admin.tasks()[0], result=[region])
    with pytest.raises(InputError, match=f"{account.user} to the picture {first.id[:12]}"):
        fetch(studio, four, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_both_kinds_of_token_are_taken_and_a_wrong_one_is_refused(
    account: Account, http: httpx.Client
) -> None:
    newer = http.post("/api/token/").json()["token"]
    for token in (account.token, newer):
        with Studio(account.url, token) as studio:
            assert [studio.who(), studio.who()] == [account.user] * 2
    for wrong in ("0" * 40, newer[:-5] + "AAAAA"):
        with Studio(account.url, wrong) as studio, pytest.raises(InputError, match="the token"):
            studio.who()
