"""A real Label Studio on the loopback, one for all tests, and a small snapshot to ask about."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from edgefactory.datasets.carrying import write_snapshot
from edgefactory.datasets.documents import Header, Item, Label, Split
from edgefactory.datasets.errors import MissingError
from edgefactory.datasets.manifest import header_of, read_manifest
from edgefactory.datasets.studio import Account, Studio, serve
from edgefactory.datasets.studio.server import installed

BOX = (10.0, 12.0, 40.0, 44.0)
TEACHER = f"teacher:{'a' * 64}"


def silent(_done: int, _total: int, _what: str) -> None:
    """No progress."""


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """The account of a server at work; its packages come from the user's cache or the network."""
    try:
        installed(silent)
    except MissingError as error:
        pytest.skip(f"Label Studio cannot be installed here: {error}")
    with serve(tmp_path_factory.mktemp("label-studio") / "data", 0, silent) as server:
        yield server.account


@pytest.fixture
def studio(account: Account) -> Iterator[Studio]:
    with Studio(account.url, account.token) as connection:
        yield connection


@pytest.fixture(autouse=True)
def private_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """An empty cache of the factory; the server was installed from the user's before."""
    if "account" in request.fixturenames:
        request.getfixturevalue("account")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def four(tmp_path: Path) -> Path:
    """A snapshot of four pictures: three wait for a person, the fourth is accepted."""
    return make_snapshot(tmp_path / "four", tmp_path.name)


def make_snapshot(folder: Path, name: str) -> Path:
    """Pictures 0 and 1 to train, 2 to validate, 3 to test; picture 3 carries no open label."""
    pictures: dict[str, bytes] = {}
    items = []
    splits: tuple[Split, ...] = ("train", "train", "val", "test")
    for number, split in enumerate(splits):
        content = _picture(f"{name} {number}")
        digest = hashlib.sha256(content).hexdigest()
        label = Label("person", BOX, TEACHER, 0.3, "accepted" if number == 3 else "queued")
        pictures[digest] = content
        file = f"images/{digest}.jpg"
        items.append(Item(digest, file, 96, 64, "clip", number, number / 10, split, (label,)))
    header = Header(name, "detection", ("person", "car"), "teacher")
    write_snapshot(folder, header, items, lambda item: pictures[item.id])
    return folder


def changed(folder: Path, out: Path, change: Callable[[Item], Item]) -> Path:
    """The snapshot in `folder` with other items, as another one at `out`."""
    before = read_manifest(folder)
    items = [change(item) for item in before.items]
    write_snapshot(out, header_of(before), items, lambda item: folder / item.file)
    return out


@dataclass(frozen=True)
class Reviewer:
    """A person at the server, who answers as the web page does, in one project."""

    http: httpx.Client
    number: int
    project: int

    def tasks(self) -> list[Any]:
        """All tasks of the project in the order of asking, with annotations and predictions."""
        params = {"project": self.project, "fields": "all", "page_size": 100}
        tasks: list[Any] = self._ask("GET", "/api/tasks", params=params)["tasks"]
        return tasks

    def task(self, item: Item) -> Any:
        """The one task about `item`."""
        (task,) = [task for task in self.tasks() if task["data"]["sample"] == item.id]
        return task

    def answer(self, task: Any, *boxes: tuple[str, Any], **more: Any) -> int:
        """Answer a task with these classes and boxes; returns the annotation's number."""
        content = {"result": _regions(boxes), "completed_by": self.number, "lead_time": 4.0}
        path = f"/api/tasks/{task['id']}/annotations"
        return int(self._ask("POST", path, json=content | more)["id"])

    def edit(self, annotation: int, *boxes: tuple[str, Any], **more: Any) -> None:
        """Give an answer other boxes."""
        content = {"result": _regions(boxes)} | more
        self._ask("PATCH", f"/api/annotations/{annotation}", json=content)

    def delete(self, path: str) -> None:
        """Delete what is at `path`."""
        assert self.http.delete(path).is_success

    def picture(self, task: Any) -> bytes:
        """The picture that the task shows."""
        response = self.http.get(task["data"]["image"])
        assert response.is_success
        return response.content

    def _ask(self, method: str, path: str, **how: Any) -> Any:
        response = self.http.request(method, path, **how)
        assert response.is_success, response.text
        return response.json()


@pytest.fixture(scope="session")
def http(account: Account) -> Iterator[httpx.Client]:
    """The server as a browser speaks to it, logged in as its first user."""
    token = {"Authorization": f"Token {account.token}"}
    with httpx.Client(base_url=account.url, headers=token, timeout=120) as client:
        yield client


@pytest.fixture(scope="session")
def bob(http: httpx.Client) -> int:
    """The number of a second person at the server."""
    made = http.post("/api/users", json={"email": "bob@example.org", "username": "bob"})
    return int(made.json()["id"])


def _regions(boxes: Sequence[tuple[str, Any]]) -> list[dict[str, Any]]:
    """Boxes in pixels of a picture of 96x64, as Label Studio has them."""
    regions = []
    for name, (x0, y0, x1, y1) in boxes:
        value = {
            "x": 100 * x0 / 96,
            "y": 100 * y0 / 64,
            "width": 100 * (x1 - x0) / 96,
            "height": 100 * (y1 - y0) / 64,
            "rotation": 0,
            "rectanglelabels": [name],
        }
        names = {"from_name": "label", "to_name": "image", "type": "rectanglelabels"}
        regions.append(names | {"value": value})
    return regions


def _picture(seed: str) -> bytes:
    random = np.random.default_rng(list(seed.encode()))
    pixels = random.integers(0, 255, (64, 96, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()
