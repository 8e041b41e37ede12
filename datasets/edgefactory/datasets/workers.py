"""Work spread over spawned processes, each of which keeps what is dear to load.

A worker talks to its parent over a pipe of its own. So a worker that dies is noticed, one whose
parent was killed sees the pipe's end and ends too, and a model that does not load says why.
Workers never see Ctrl-C: the parent does, and takes them down.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Final, Generic, TypeVar

from edgefactory.datasets.errors import EdgefactoryError, MissingError

_AHEAD: Final = 2  # tasks that a worker holds: one in work, one waiting, so that it never idles
_JOIN_SECONDS: Final = 5.0

T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True)
class _Worker(Generic[T]):
    process: SpawnProcess
    connection: Connection
    tasks: list[T]  # handed over and not answered, oldest first


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def spread(
    make: Callable[[], Callable[[T], R]], tasks: Iterable[T], count: int
) -> Generator[tuple[T, R], None, None]:
    """Each of `tasks` with its result, in the order in which `count` processes finish them.

    Every process calls `make` once and its result for each task; `make`, tasks and results must
    be picklable, and a task so small (64 kB) that a busy worker's pipe holds it. Close the iterator
    to stop early: no process outlives it. Raises what `EdgefactoryError` a worker raised,
    `MissingError` when one was killed, and `RuntimeError` for a defect, whose traceback the worker
    has printed.
    """
    waiting = iter(tasks)
    with ExitStack() as stack:
        workers = [stack.enter_context(_worker(make)) for _ in range(count)]
        by_connection: dict[object, _Worker[T]] = {one.connection: one for one in workers}
        for worker in workers * _AHEAD:
            _hand_over(worker, waiting)
        while busy := [worker.connection for worker in workers if worker.tasks]:
            for ready in wait(busy):
                worker = by_connection[ready]
                result = _answer(worker)
                task = worker.tasks.pop(0)
                _hand_over(worker, waiting)
                yield task, result


def _hand_over(worker: _Worker[T], waiting: Iterator[T]) -> None:
    for task in waiting:
        worker.tasks.append(task)
        # A worker that is gone has left its reason, or the pipe's end, for `_answer` to read.
        with suppress(ConnectionError):
            worker.connection.send(task)
        return


def _answer(worker: _Worker[T]) -> Any:
    try:
        message = worker.connection.recv()
    except (EOFError, ConnectionError):
        message = _why_lost(worker.process)
    if isinstance(message, Exception):
        raise message
    return message


def _why_lost(process: SpawnProcess) -> Exception:
    process.join(_JOIN_SECONDS)
    code = process.exitcode or 0
    if code < 0:
        return MissingError(
            f"a worker process was killed by {signal.Signals(-code).name}, perhaps for want of "
            "memory; what was finished is kept: run it again with fewer workers"
        )
    return RuntimeError(f"a worker process ended with exit code {code} in the middle of its work")


@contextmanager
def _worker(make: Callable[[], Callable[[T], R]]) -> Iterator[_Worker[T]]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with ours:
        process = context.Process(target=_work, args=(theirs, make), daemon=True)
        # Blocked signals stay blocked in a child: from its first instruction on it sees no Ctrl-C.
        # Starting the tracker would unblock them; where it runs already, this does nothing.
        resource_tracker.ensure_running()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
        finally:
            theirs.close()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        try:
            yield _Worker(process, ours, [])
        finally:
            process.terminate()
            process.join(_JOIN_SECONDS)
            if process.is_alive():
                process.kill()
                process.join()
            process.close()


def _work(connection: Connection, make: Callable[[], Callable[[T], R]]) -> None:
    """What a worker process does: answer tasks until the pipe ends."""
    with suppress(ConnectionError):
        try:
            do = make()
            while (task := _next(connection)) is not None:
                connection.send(do(task))
        except EdgefactoryError as error:
            connection.send(error)


def _next(connection: Connection) -> Any:
    try:
        return connection.recv()
    except EOFError:
        return None
