"""Whole updates, cut off after each of their operations; and what a site must still be able to do.

An update is run once on a counted disk. Then for every operation, and for every way in which a
power cut can treat what was not synced, the disk is laid out as it would be found, and the site
starts again on it:

1. what is active is the release before or the one after, whole, and passes its self-test;
2. an older repository is refused;
3. the update completes, and what it came to survives a further power cut at its end.
"""

import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import pytest
import urllib3
from tuf.ngclient import Updater

from edge_runtime import durable, proof
from edge_runtime.cli import main
from edge_runtime.contract import Release, decode, digest
from edge_runtime.errors import EdgeRuntimeError, RefusedError, StorageError, TrustError
from edge_runtime.running import active, open_active
from edge_runtime.state import State
from edge_runtime.store import Slot, load_journal
from edge_runtime.trust import highwater
from edge_runtime.trust.http import Http
from edge_runtime.trust.origin import Answer
from edge_runtime.trust.stick import URL, Stick
from edge_runtime.update import Wish, once
from edgefactory.registry import Ban, RolloutSettings
from edgefactory.registry.rollouts import Place, rollback

from .disks import CountedDisk, Fault, Loss, Model, never
from .models import Built, build, squares_onnx
from .registering import Registry
from .serving import Server

BASE_URL = "http://published.example"


class Published(Http):
    """A published tree in a folder, asked for as from a server."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._stick = Stick(folder)

    def open(self, url: str, first: int = 0) -> urllib3.BaseHTTPResponse:
        return self._stick.open(url.replace(BASE_URL, URL), first)

    def ask(self, url: str, etag: str = "") -> Answer:
        """As a server with ETags: the changes of remembering one are cut off too."""
        answer = self._stick.ask(url.replace(BASE_URL, URL))
        body = b"".join(answer.body)
        found = f'"{digest(body)}"'
        if answer.status == 200 and found == etag:
            return Answer(304)
        return Answer(answer.status, iter((body,)), found)

    def chunks(self, url: str, answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
        return self._stick.chunks(url, answer)

    def get(self, url: str, limit: int) -> bytes:
        return self._stick.get(url.replace(BASE_URL, URL), limit)


@dataclass(frozen=True)
class Scenario:
    """An update of a site whose state is `start`: from the release `before` (a sequence, 0: none)
    to `after`, by the tree `target`; `older` is a tree that it must not believe."""

    name: str
    start: Path
    target: Path
    older: Path | None
    before: int
    after: int


@dataclass(frozen=True)
class Run:
    """What an update did to the disk: where it started, and every change in order."""

    scenario: Scenario
    start: Model
    log: tuple[tuple[Any, ...], ...]

    def at(self, point: int) -> Model:
        """The disk after the first `point` changes."""
        model = self.start.after("lost")
        for operation in self.log[:point]:
            model.apply(*operation)
        return model


def detector(sequence: int) -> Built:
    """A release whose model is another file than that of any other sequence, and long enough that
    a patch pays."""
    model = onnx.load_from_string(squares_onnx(gain=1 + sequence / 1e4))
    model.doc_string = random.Random(0).randbytes(50_000).hex()
    return build(sequence, {"onnx-int8": model.SerializeToString()})


def scenarios(folder: Path) -> list[Scenario]:
    """A first install; updates by whole file and by patch; a block, a floor, and a way back."""
    (folder / "tree").mkdir()
    server = Server(folder / "tree")
    server.server_close()
    registry = Registry(server, folder / "factory")
    place = Place(registry.published, registry.keys)

    def tree(name: str) -> Path:
        return Path(shutil.copytree(registry.published, folder / name))

    registry.publish(detector(1))
    one = tree("one")
    registry.publish(detector(2))
    patched = tree("patched")
    two = Path(shutil.copytree(patched, folder / "two"))
    for blob in (two / "blobs").iterdir():
        if blob.read_bytes().startswith(b"BSDIFF40"):
            blob.unlink()  # so that the file is fetched whole
    rollback(place, "squares", "1.0.0")
    back = tree("back")
    shutil.rmtree(registry.published)
    shutil.copytree(patched, registry.published)
    registry.publish(detector(3), RolloutSettings(floor=3))
    floor = tree("floor")
    shutil.rmtree(registry.published)
    shutil.copytree(patched, registry.published)
    registry.ban(Ban("squares", "2.0.0", "bad", "block"))
    blocked = tree("blocked")
    new = _enrolled(folder / "new", registry.root)
    at_one = _updated(new, folder / "at-one", one)
    at_two = _updated(at_one, folder / "at-two", two)
    return [
        Scenario("install", new, two, None, 0, 2),
        Scenario("update", at_one, two, None, 1, 2),
        Scenario("patch", at_one, patched, None, 1, 2),
        Scenario("block", at_two, blocked, one, 2, 1),
        Scenario("floor", at_two, floor, one, 2, 3),
        Scenario("back", at_two, back, one, 2, 1),
    ]


def record(scenario: Scenario) -> Run:
    """Run the update of `scenario` to its end, and write down what it changed."""
    with _copy(scenario.start) as state, counted(state) as disk:
        start = Model.of(state.folder)
        assert update(state, scenario.target) == scenario.after
        run = Run(scenario, start, tuple(disk.log))
        changed = run.at(len(run.log)).differs(state.folder)
        assert not changed, f"changed without the counted disk: {changed}"
        return run


def survives(run: Run, point: int, loss: Loss) -> str:
    """What a site that was cut off at `point` cannot do any more; empty when all is well.

    It begins with "bricked" when nothing that was proven can run.
    """
    left = run.at(point).after(loss, seed=point)
    with tempfile.TemporaryDirectory(dir=_fast()) as name:
        state = State(Path(name))
        left.write_to(state.folder)
        scenario = run.scenario
        found = fresh_start(state, {scenario.before, scenario.after})
        if found:
            return f"bricked: {found}"
        with counted(state) as disk:
            if scenario.older is not None and (found := _replayed(state, scenario.older)):
                return found
            try:
                reached = update(state, scenario.target)
            except EdgeRuntimeError as error:
                return f"the update does not complete: {error}"
        if reached != scenario.after:
            return f"the update comes to {reached}, not {scenario.after}"
        for operation in disk.log:
            left.apply(*operation)
        shutil.rmtree(state.folder)
        state.folder.mkdir()
        left.after("lost").write_to(state.folder)
        found = fresh_start(state, {scenario.after})
        return f"bricked after the update: {found}" if found else ""


def survives_errors(scenario: Scenario, first: int, number: int, lasting: bool) -> str:
    """What goes wrong when the operation `first` of an update fails with the error `number`, and
    all later ones too when it is `lasting`; empty when all is well."""

    def fault(count: int, name: str) -> None:
        if count == first or (lasting and count > first):
            raise OSError(number, os.strerror(number))

    with _copy(scenario.start) as state:
        with counted(state, fault):
            try:
                update(state, scenario.target)
            except StorageError as error:
                if "\n" in str(error):
                    return f"more than a line: {error}"
            except EdgeRuntimeError as error:
                return f"said as {type(error).__name__}: {error}"
        found = fresh_start(state, {scenario.before, scenario.after})
        if found:
            return f"bricked: {found}"
        reached = update(state, scenario.target)
        return "" if reached == scenario.after else f"comes to {reached} afterwards"


def fresh_start(state: State, may_run: set[int]) -> str:
    """Why what is active cannot run, or is none of the sequences `may_run` (0: nothing)."""
    try:
        highwater.load(state.trust)
        slots = load_journal(state.journal).of("squares")
        running = slots.active.sequence if slots.active else 0
        if running not in may_run:
            return f"sequence {running} is active; expected one of {sorted(may_run)}"
        for slot in filter(None, (slots.active, slots.previous)):
            _whole(state, slot)
        if slots.active:
            open_active(state, active(state, "squares"), threads=1)
    except RefusedError as error:
        refused = "may not run: blocked" in str(error) or "below the floor" in str(error)
        return "" if refused else str(error)  # the marks forbid it before the journal leaves it
    except EdgeRuntimeError as error:
        return f"{type(error).__name__}: {error}"
    return ""


def update(state: State, tree: Path) -> int:
    """One update from `tree`; the sequence that is active then. A refusal of what is blocked
    counts as an update: the block was obeyed."""
    try:
        once(state, Wish("squares"), lambda *_: None, Published(tree))
    except RefusedError as error:
        if "blocked" not in str(error):
            raise
    slot = load_journal(state.journal).of("squares").active
    return slot.sequence if slot else 0


@contextmanager
def counted(state: State, fault: Fault = never) -> Iterator[CountedDisk]:
    """All changes of the state's files go through the disk that is returned, tuf's cache too."""
    disk = CountedDisk(state.folder, fault)

    def persist(self: Updater, filename: str, data: bytes) -> None:
        """As `Updater._persist_file`: no fsync."""
        temporary = Path(filename).with_name("tmp")
        disk_write(temporary, data)
        disk.replace(temporary, Path(filename))

    def disk_write(path: Path, data: bytes) -> None:
        with durable.gathering(path, go_on=False) as put:
            put(data)

    def persist_root(self: Updater, version: int, data: bytes) -> None:
        """As `Updater._persist_root`."""
        folder = Path(self._dir, "root_history")
        if not folder.is_dir():
            disk.mkdir(folder)
        persist(self, str(folder / f"{version}.root.json"), data)

    def link(self: Updater) -> None:
        """As `Updater._update_root_symlink`."""
        path = Path(self._dir, "root.json")
        if path.is_symlink() or path.exists():
            disk.unlink(path)
        disk.symlink(f"root_history/{self._trusted_set.root.version}.root.json", path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(durable, "disk", disk)
        patch.setattr(Updater, "_persist_file", persist)
        patch.setattr(Updater, "_persist_root", persist_root)
        patch.setattr(Updater, "_update_root_symlink", link)
        patch.setattr(proof, "MEASURE_S", 0.0)
        yield disk


def _whole(state: State, slot: Slot) -> None:
    """Raise StorageError or MissingError unless all that `slot` needs is here and intact."""
    release = decode(state.contents.read(slot.release), Release, "a release")
    for ref in release.variant(slot.variant).files.values():
        state.contents.read(ref)


def _replayed(state: State, older: Path) -> str:
    before = load_journal(state.journal).of("squares").active
    try:
        once(state, Wish("squares"), lambda *_: None, Published(older))
    except TrustError:
        pass
    except EdgeRuntimeError as error:
        return f"an older repository is met with {type(error).__name__}: {error}"
    else:
        return "an older repository was believed"
    after = load_journal(state.journal).of("squares").active
    return "" if after == before else "an older repository changed what is active"


def _enrolled(folder: Path, root: Path) -> Path:
    command = ["--state", str(folder), "enroll", "--url", BASE_URL, "--site", "branch-0001"]
    assert main([*command, "--region", "north", "--root", str(root)]) == 0
    return folder


def _updated(start: Path, folder: Path, tree: Path) -> Path:
    shutil.copytree(start, folder, symlinks=True)
    update(State(folder), tree)
    return folder


@contextmanager
def _copy(start: Path) -> Iterator[State]:
    with tempfile.TemporaryDirectory(dir=_fast()) as name:
        folder = Path(name) / "state"
        shutil.copytree(start, folder, symlinks=True)
        yield State(folder)


def _fast() -> str | None:
    """A folder in memory, where there is one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - under a random name
