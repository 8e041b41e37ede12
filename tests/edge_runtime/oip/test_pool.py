"""Who works: whoever submits, and at most so many at a time; nothing that waits is forgotten."""

import queue
import threading

import numpy as np
import pytest

from edge_runtime.contract import Outputs
from edge_runtime.hosting import Host, Loaded
from edge_runtime.serving.answering import Prepared
from edge_runtime.serving.http1 import Answer
from edge_runtime.serving.pool import Job, Pool

from ..models import build
from .loading import loaded

pytestmark = pytest.mark.component


def _finish(outputs: Outputs) -> Answer:
    """Says who did it."""
    assert len(outputs["scores"]) == 1
    return Answer(200, threading.current_thread().name.encode())


def _prepare(_: Loaded) -> Prepared:
    return Prepared(np.zeros((1, 48, 64, 3), np.uint8), _finish)


@pytest.fixture
def pool() -> Pool:
    """Two may run models at a time, and four requests may wait."""
    host = Host()
    host.put("squares", loaded(build(1)))
    return Pool(host, 2, 4)


def test_who_submits_runs_it(pool: Pool) -> None:
    done: queue.SimpleQueue[Answer] = queue.SimpleQueue()
    assert pool.submit(Job("squares", _prepare, done.put))
    pool.work()
    assert done.get_nowait().body == threading.current_thread().name.encode()


def test_so_many_wait_and_no_more(pool: Pool) -> None:
    done: queue.SimpleQueue[Answer] = queue.SimpleQueue()
    assert [pool.submit(Job("squares", _prepare, done.put)) for _ in range(5)] == [
        *([True] * 4),
        False,
    ]
    pool.work()
    assert [done.get_nowait().status for _ in range(4)] == [200] * 4
    assert (pool.waiting, pool.running) == (0, 0)


def test_who_comes_third_leaves_the_work_to_two(pool: Pool) -> None:
    held, entered = threading.Event(), threading.Semaphore(0)

    def prepare(of: Loaded) -> Prepared:
        entered.release()
        assert held.wait(30)
        return _prepare(of)

    done: queue.SimpleQueue[Answer] = queue.SimpleQueue()
    workers = [threading.Thread(target=pool.work) for _ in range(2)]
    for worker in workers:
        assert pool.submit(Job("squares", prepare, done.put))
        worker.start()
        assert entered.acquire(timeout=30)
    assert pool.submit(Job("squares", _prepare, done.put))
    pool.work()  # returns at once
    assert (pool.waiting, pool.running, done.empty()) == (1, 2, True)
    held.set()
    names = {done.get(timeout=30).body for _ in range(3)}
    assert names <= {worker.name.encode() for worker in workers}
    for worker in workers:
        worker.join(30)
