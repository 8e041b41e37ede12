"""One run on several processes: over loopback alone, to one checkpoint, and errors in one line."""

from __future__ import annotations

import importlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgefactory.datasets.errors import InputError
from edgefactory.training import Augment, Recipe, load_checkpoint, train
from edgefactory.training.devices import share_out

pytestmark = pytest.mark.component

TWO = Recipe(
    resolution=(64, 48),
    width=16,
    detections=8,
    epochs=8,
    batch=4,
    precision="32",
    devices=2,
    augment=Augment(flip=0.5),
)

# Processes can only be given what they can import, which a test module is not.
MODULE = """
import torch

from edgefactory.datasets.errors import InputError


def together(fabric, progress):
    for _ in range(3):
        fabric.all_reduce(torch.ones(4), reduce_op="sum")


def one_refuses(fabric, progress):
    together(fabric, progress)
    if fabric.global_rank == 1:
        raise InputError("the second has found something wrong")
    together(fabric, progress)
"""


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A module that ranks can import."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "edgefactory_rank_work.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield importlib.import_module("edgefactory_rank_work")


class Listeners:
    """Looks, while ranks run, at every address that one of our children listens on."""

    def __init__(self) -> None:
        self.addresses: set[str] = set()
        self.children: set[int] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Listeners:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            for child in _descendants(os.getpid()):
                self.children.add(child)
                self.addresses |= _listening(child)


def _descendants(parent: int) -> set[int]:
    found: set[int] = set()
    for task in Path(f"/proc/{parent}/task").glob("*/children"):
        try:
            found |= {int(child) for child in task.read_text().split()}
        except OSError:
            continue
    return found.union(*(_descendants(child) for child in found))


def _listening(process: int) -> set[str]:
    """The addresses that a process listens on; nothing of one that has ended."""
    found = set()
    try:
        links = [str(entry.readlink()) for entry in Path(f"/proc/{process}/fd").iterdir()]
        inodes = {link[8:-1] for link in links if link.startswith("socket:[")}
        for table, family, turn in (
            ("tcp", socket.AF_INET, 4),
            ("tcp6", socket.AF_INET6, 4),
        ):
            for row in Path(f"/proc/{process}/net/{table}").read_text().splitlines()[1:]:
                local, state, inode = (row.split()[at] for at in (1, 3, 9))
                if state == "0A" and inode in inodes:
                    raw = bytes.fromhex(local.partition(":")[0])
                    words = [raw[at : at + turn][::-1] for at in range(0, len(raw), turn)]
                    found.add(socket.inet_ntop(family, b"".join(words)))
    except OSError:
        pass
    return found


def test_two_processes_make_one_checkpoint_and_listen_on_loopback_alone(
    snapshot: Path, tmp_path: Path
) -> None:
    said: list[tuple[int, int, str]] = []
    with Listeners() as seen:
        made = train(
            TWO,
            snapshot,
            tmp_path / "checkpoint",
            tmp_path / "scratch",
            lambda *step: said.append(step),
            f"sqlite:///{tmp_path / 'mlflow.db'}",
        )
    assert load_checkpoint(made.folder) == made
    assert len(made.metrics.epochs) == TWO.epochs
    assert made.metrics.epochs[-1].loss < made.metrics.epochs[0].loss * 0.7
    assert made.lineage.mlflow_run is not None
    assert said[-1][:2] == (24, 24)
    assert len(seen.children) >= 2
    assert seen.addresses, "ranks talk over sockets; without one this test saw nothing"
    assert all(address.startswith("127.") or address == "::1" for address in seen.addresses), (
        seen.addresses
    )
    assert not any((tmp_path / "scratch").iterdir())


def test_what_one_process_finds_wrong_is_what_the_caller_is_told(
    work: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match="the second has found something wrong"):
        share_out(TWO, work.one_refuses, None)
    assert capfd.readouterr().err == ""


def test_more_processes_than_pictures_are_refused(snapshot: Path, tmp_path: Path) -> None:
    five = msgspec.structs.replace(TWO, devices=5)
    with pytest.raises(InputError, match="devices is 5, the batch 4; each needs a picture"):
        train(five, snapshot, tmp_path / "checkpoint", tmp_path / "scratch")
    twenty = msgspec.structs.replace(TWO, devices=20, batch=32)
    with pytest.raises(InputError, match="devices is 20, there are 14 pictures to train on"):
        train(twenty, snapshot, tmp_path / "checkpoint", tmp_path / "scratch")
