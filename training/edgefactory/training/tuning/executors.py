"""Who does the jobs of a search: this process, several of this machine, or a Ray cluster.

An executor is given what makes a worker and an iterable of jobs, which it asks for the next one
only when somebody is free to do it, and yields each job with its result as it is done. So what is
asked next can depend on what has been learned until then.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Iterator

from edgefactory.datasets.errors import MissingError
from edgefactory.datasets.workers import spread
from edgefactory.training.tuning.ladder import Climb
from edgefactory.training.tuning.trial import Job

Work = Callable[[Job], Climb]
Executor = Callable[[Callable[[], Work], Iterable[Job]], Iterator[tuple[Job, Climb]]]


def local(make: Callable[[], Work], jobs: Iterable[Job]) -> Iterator[tuple[Job, Climb]]:
    """One after the other, here: two trainings at once on the same cores are slower than that."""
    work = make()
    for job in jobs:
        yield job, work(job)


def processes(count: int) -> Executor:
    """By `count` processes of this machine, as where each has a GPU of its own."""

    def execute(make: Callable[[], Work], jobs: Iterable[Job]) -> Iterator[tuple[Job, Climb]]:
        yield from spread(make, jobs, count)

    return execute


def on_ray(count: int, address: str | None = None) -> Executor:
    """By `count` workers of the Ray cluster at `address`, or of one of its own on this machine.

    Each worker must find snapshot and search folder under the same paths. Raises MissingError
    when Ray is not installed.
    """
    if importlib.util.find_spec("ray") is None:
        raise MissingError("--executor ray needs Ray: pip install 'edgefactory[ray]'")

    def execute(make: Callable[[], Work], jobs: Iterable[Job]) -> Iterator[tuple[Job, Climb]]:
        import ray

        ray.init(
            address=address,
            include_dashboard=False if address is None else None,
            configure_logging=False,
            log_to_driver=False,
        )
        try:
            worker_type = ray.remote(_Worker)
            free = [worker_type.remote(make) for _ in range(count)]
            waiting, left = {}, iter(jobs)
            while True:
                while free and (job := next(left, None)) is not None:
                    worker = free.pop()
                    waiting[worker.do.remote(job)] = (worker, job)
                if not waiting:
                    return
                (ready,), _ = ray.wait(list(waiting), num_returns=1)
                worker, job = waiting.pop(ready)
                yield job, ray.get(ready)
                free.append(worker)
        finally:
            ray.shutdown()

    return execute


class _Worker:
    """What lives in a Ray actor."""

    def __init__(self, make: Callable[[], Work]) -> None:
        self._work = make()

    def do(self, job: Job) -> Climb:
        """One job."""
        return self._work(job)
