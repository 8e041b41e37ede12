"""`label serve`, `push`, `status`, `pull` as a user runs them, with a real Label Studio."""

from __future__ import annotations

import hashlib
import io
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from edgefactory.datasets.asking import Question, Questions, write_questions
from edgefactory.datasets.carrying import write_snapshot
from edgefactory.datasets.documents import Header, Item, Label
from edgefactory.datasets.errors import MissingError
from edgefactory.datasets.manifest import read_manifest, snapshot_digest
from edgefactory.datasets.studio import Account, read_account
from edgefactory.datasets.studio.server import installed
from edgefactory.pipelines import main

BOX = (10.0, 12.0, 40.0, 44.0)

# The first time on a machine the server is installed, which takes minutes.
with_server, minutes = pytest.mark.component, pytest.mark.timeout(2400)


@pytest.fixture
def snap(tmp_path: Path) -> Path:
    """Two pictures with a label that waits for a person."""
    pictures, items = {}, []
    for number in range(2):
        file = io.BytesIO()
        Image.fromarray(np.full((64, 96, 3), 50 * number, np.uint8)).save(file, "JPEG")
        digest = hashlib.sha256(file.getvalue()).hexdigest()
        pictures[digest] = file.getvalue()
        label = Label("person", BOX, f"teacher:{'a' * 64}", 0.3, "queued")
        place = (f"images/{digest}.jpg", 96, 64, "clip", number, number / 10)
        items.append(Item(digest, *place, "train", (label,)))
    header = Header("corridor", "detection", ("person",), "teacher")
    write_snapshot(tmp_path / "snap", header, items, lambda item: pictures[item.id])
    return tmp_path / "snap"


@contextmanager
def serving(data: Path) -> Iterator[Account]:
    """`edgefactory label serve` in a process of its own, ended as by Ctrl-C."""
    command = [str(Path(sys.executable).with_name("edgefactory")), "--json"]
    process = subprocess.Popen(
        [*command, "label", "serve", "--data", str(data), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        said = ""
        for line in process.stderr:
            said += line
            if "Label Studio is at" in line:
                break
        else:
            pytest.fail(f"the server does not start: {said}")
        account = read_account(data)
        assert account.token not in said
        assert account.password not in said
        yield account
    finally:
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert json.loads(out)["url"] == account.url


@pytest.fixture(scope="module")
def label_studio() -> None:
    """Label Studio is installed in the user's cache, or cannot be."""
    try:
        installed(lambda _done, _total, _what: None)
    except MissingError as error:
        pytest.skip(f"Label Studio cannot be installed here: {error}")


def run(capsys: pytest.CaptureFixture[str], *command: str) -> Any:
    """Run a command; its figures."""
    assert main(["--json", "label", *command]) == 0
    return json.loads(capsys.readouterr().out)


def answer(account: Account, item: Item) -> None:
    """The server's first user agrees with what is proposed for `item`."""
    token = {"Authorization": f"Token {account.token}"}
    with httpx.Client(base_url=account.url, headers=token, timeout=120) as http:
        project = http.get("/api/projects").json()["results"][0]["id"]
        tasks = http.get("/api/tasks", params={"project": project, "fields": "all"}).json()
        (task,) = [one for one in tasks["tasks"] if one["data"]["sample"] == item.id]
        content = {"result": task["predictions"][0]["result"], "lead_time": 3.0}
        assert http.post(f"/api/tasks/{task['id']}/annotations", json=content).status_code == 201


@with_server
@minutes
def test_from_a_snapshot_to_people_and_back(
    label_studio: None,
    snap: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data, first = tmp_path / "data", read_manifest(snap).items[0]
    with serving(data) as account:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        here = [str(snap), "--data", str(data)]
        assert run(capsys, "push", *here)["added"] == 2
        again = run(capsys, "push", *here)
        assert (again["added"], again["left"]) == (0, 2)
        answer(account, first)
        found = run(capsys, "status", *here)
        assert (found["answered"], found["open_answers"], found["seconds_left"]) == (1, 1, 3.0)
        assert main(["label", "serve", "--data", str(data), "--port", "0"]) == 2
        assert "is served already" in capsys.readouterr().err
    monkeypatch.undo()
    secrets_stay_with_their_owner(data, account)
    with serving(data) as account:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.setenv("EDGEFACTORY_LABEL_STUDIO_TOKEN", account.token)
        out = tmp_path / "out"
        pulled = run(capsys, "pull", str(snap), "--url", account.url, "--out", str(out))
        assert (pulled["reviewed"], pulled["digest"]) == (1, snapshot_digest(out))
    (label,) = read_manifest(out).items[0].labels
    assert (label.origin, label.box) == (f"human:{account.user}", BOX)


def secrets_stay_with_their_owner(data: Path, account: Account) -> None:
    log = (data / "server.log").read_text(errors="replace")
    assert account.token not in log
    assert account.password not in log
    assert (data / "server.json").stat().st_mode & 0o777 == 0o600
    assert data.stat().st_mode & 0o777 == 0o700


@with_server
@minutes
def test_a_busy_port_is_one_line_and_2(
    label_studio: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = str(busy.getsockname()[1])
        assert main(["label", "serve", "--data", str(tmp_path / "d"), "--port", port]) == 2
    error = capsys.readouterr().err
    assert f"cannot serve on 127.0.0.1:{port}" in error
    assert error.count("\n") == 1


def test_without_a_server_the_way_to_one_is_named(
    snap: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["label", "push", str(snap), "--data", str(tmp_path)]) == 3
    assert "edgefactory label serve" in capsys.readouterr().err


def test_a_server_elsewhere_wants_a_token_from_the_environment(
    snap: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("EDGEFACTORY_LABEL_STUDIO_TOKEN", raising=False)
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert main(["label", "status", str(snap), "--url", "http://127.0.0.1:9"]) == 3
    assert "set EDGEFACTORY_LABEL_STUDIO_TOKEN" in capsys.readouterr().err


def test_what_label_next_chose_must_be_of_the_snapshot(
    snap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = Questions("next/1", "0" * 64, "pixels", (Question("f" * 64, ("uncertain",)),))
    write_questions(tmp_path / "next.json", chosen)
    monkeypatch.setenv("EDGEFACTORY_LABEL_STUDIO_TOKEN", "x")
    command = ["label", "push", str(snap), "--url", "http://127.0.0.1:9"]
    assert main([*command, "--items", str(tmp_path / "next.json")]) == 2
    assert "the snapshot has no picture ffffffffffff" in capsys.readouterr().err


@pytest.mark.parametrize("extra", [["--reviewers", "0"], ["--pictures", "http://x"]])
def test_options_that_do_not_fit(
    snap: Path, extra: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["label", "push", str(snap), *extra]) == 2
    assert capsys.readouterr().err.count("\n") == 1
