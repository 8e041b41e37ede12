"""Who works: the last one again, and every job is done by somebody, also while the pool stops."""

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
    """Four workers that have not started."""
    host = Host()
    host.put("squares", loaded(build(1)))
    return Pool(host, 4, 64)


def test_who_worked_last_works_again(pool: Pool) -> None:
    pool.start()
    who: set[bytes] = set()
    for _ in range(30):
        while len(pool._idle) < 4:  # whoever answered has yet to lie down
            pass
        done: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        assert pool.submit(Job("squares", _prepare, done.put))
        who.add(done.get(timeout=30).body)
    pool.stop()
    assert len(who) == 1


def test_each_job_is_done_once_though_the_pool_stops(pool: Pool) -> None:
    before = threading.active_count()
    done: queue.SimpleQueue[Answer] = queue.SimpleQueue()
    for _ in range(20):
        assert pool.submit(Job("squares", _prepare, done.put))
    pool.start()
    for _ in range(20):
        assert pool.submit(Job("squares", _prepare, done.put))
    pool.stop()
    assert [done.get(timeout=30).status for _ in range(40)] == [200] * 40
    while threading.active_count() > before:  # the workers end
        pass
    assert done.empty()
