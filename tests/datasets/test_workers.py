"""Work in real spawned processes: spread, counted, and never left behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

import pytest

from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.workers import spread

# Processes can only be given what they can import, which a test module is not.
MODULE = """
import os
import signal

from edgefactory.datasets.errors import InputError


def squarer(offset):
    return lambda task: (task * task + offset, os.getpid())


def broken_model():
    raise InputError("model.onnx is not a model")


def sensitive():
    def look(task):
        if task == "bad":
            raise InputError("picture bad cannot be decoded")
        if task == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if task == "exit":
            os._exit(3)
        return task

    return look


def masked():
    return lambda _task: signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())
"""


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A module that worker processes can import."""
    import importlib

    folder = tmp_path_factory.mktemp("work")
    (folder / "edgefactory_worker_tasks.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield importlib.import_module("edgefactory_worker_tasks")


def test_every_task_is_done_once_by_processes_of_their_own(work: Any) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    found = dict(spread(partial(work.squarer, 5), range(20), 2))
    assert {task: result for task, (result, _) in found.items()} == {
        task: task * task + 5 for task in range(20)
    }
    pids = {pid for _, pid in found.values()}
    assert os.getpid() not in pids
    assert len(pids) == 2
    assert not any(is_running(pid) for pid in pids)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def test_no_tasks_are_no_results(work: Any) -> None:
    assert list(spread(partial(work.squarer, 5), [], 1)) == []


def test_tasks_are_taken_as_they_are_needed(work: Any) -> None:
    taken: list[int] = []

    def tasks() -> Any:
        for task in range(1000):
            taken.append(task)
            yield task

    with closing(spread(partial(work.squarer, 0), tasks(), 1)) as results:
        _, (_, pid) = next(results)
        assert len(taken) < 5
        assert is_running(pid)
    assert not is_running(pid)


def test_a_model_that_does_not_load_says_why(work: Any) -> None:
    with pytest.raises(InputError, match=r"model\.onnx is not a model"):
        list(spread(work.broken_model, ["a", "b", "c"], 1))


@pytest.mark.parametrize(
    ("task", "error", "says"),
    [
        ("bad", InputError, "picture bad cannot be decoded"),
        ("kill", MissingError, "killed by SIGKILL.*fewer workers"),
        ("exit", RuntimeError, "exit code 3"),
    ],
)
def test_a_task_that_fails_ends_the_work(
    work: Any, task: str, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        list(spread(work.sensitive, ["good", task, "good"], 1))


def test_workers_do_not_see_an_interrupt(work: Any) -> None:
    make: Callable[[], Callable[[int], bool]] = work.masked
    assert [masked for _, masked in spread(make, [0], 1)] == [True]


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
