"""What waits for a model, in order and bounded, and is run by whoever comes by."""

import contextlib
import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from edge_runtime.contract import Outputs
from edge_runtime.errors import EdgeRuntimeError, InputError, MissingError
from edge_runtime.hosting import Host, Loaded
from edge_runtime.serving.answering import Prepared
from edge_runtime.serving.batching import largest, sizes_that_pay
from edge_runtime.serving.http1 import Answer, AnswerError, refusal

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Job:
    """A request for `model`; `done` is called once by who runs it, unless it was `abandoned`."""

    model: str
    prepare: Callable[[Loaded], Prepared]
    done: Callable[[Answer], None]
    abandoned: bool = False
    answered: bool = False

    def answer(self, answer: Answer) -> None:
        """Give `answer`, unless there was one."""
        if not self.answered:
            self.answered = True
            self.done(answer)

    def refuse(self, status: int, message: str) -> None:
        """Answer with an error."""
        if not self.answered:
            self.answer(refusal(AnswerError(status, message)))


@dataclass(frozen=True)
class _Sizes:
    """The batches that pay for what is, or will be, loaded as a model."""

    of: "weakref.ref[Loaded]"
    sizes: tuple[int, ...] = field(default=())


class Pool:
    """Requests over a host, at most `workers` of them at a time; call it from any thread.

    It has no threads: who submits calls `work` next, and runs what waits unless enough others do.
    So a lone request is run by the thread that read it, in whose caches it lies.
    """

    def __init__(self, host: Host, workers: int, most_waiting: int) -> None:
        self._host, self._workers, self._most = host, workers, most_waiting
        self._jobs: deque[Job] = deque()
        self._lock = threading.Lock()
        self._sizes: dict[str, _Sizes] = {}
        self._since: dict[int, float] = {}  # of threads that are at work

    def look(self) -> None:
        """Warm up what is loaded since the last look, and find out which batches pay for it.

        Takes about half a second a model, so call it beside the requests.
        """
        for name in self._host.names():
            with contextlib.suppress(MissingError):  # it went meanwhile
                loaded = self._host.get(name)
                if name not in self._sizes or self._sizes[name].of() is not loaded:
                    self._sizes[name] = _Sizes(weakref.ref(loaded), _tried(name, loaded))

    def submit(self, job: Job) -> bool:
        """Let `job` wait for who calls `work`; False when too many do."""
        with self._lock:
            if len(self._jobs) >= self._most:
                return False
            self._jobs.append(job)
        return True

    def work(self, once: bool = False) -> None:
        """Run what waits until nothing does, or only what runs together next; nothing when enough
        others are at it."""
        me = threading.get_ident()
        if not self._jobs:
            return
        try:
            while jobs := self._take(me):
                self._do(jobs)
                if once:
                    break
        finally:
            with self._lock:
                self._since.pop(me, None)

    @property
    def waiting(self) -> int:
        """Requests that wait."""
        return len(self._jobs)

    @property
    def running(self) -> int:
        """Threads that are at work."""
        return len(self._since)

    def longest(self) -> float:
        """Seconds since the start of what has run for longest; a watchdog looks at this."""
        return time.monotonic() - min(self._since.copy().values(), default=time.monotonic())

    def _take(self, me: int) -> list[Job]:
        """The next job, and those behind it that should run with it; none when `me` is to rest."""
        with self._lock:
            self._since.pop(me, None)
            if not self._jobs or len(self._since) >= self._workers:
                return []
            self._since[me] = time.monotonic()
            first = self._jobs.popleft()
            alike = 1
            for job in self._jobs:
                if job.model != first.model:
                    break
                alike += 1
            more = largest(self._batches(first.model), alike) - 1 if alike > 1 else 0
            return [first, *(self._jobs.popleft() for _ in range(more))]

    def _batches(self, model: str) -> Sequence[int]:
        known = self._sizes.get(model)
        with contextlib.suppress(MissingError):
            if known is not None and known.of() is self._host.get(model):
                return known.sizes
        return ()

    def _do(self, jobs: list[Job]) -> None:
        try:
            self._answer([job for job in jobs if not job.abandoned])
        except MissingError as error:
            for job in jobs:
                job.refuse(404, str(error))
        except MemoryError:
            for job in jobs:
                job.refuse(503, "there is not enough memory for this request")
        except Exception:  # a defect of ours, or of an engine's binding
            log.exception("%s: a request failed", jobs[0].model)
        finally:
            for job in jobs:
                job.refuse(500, "the server failed; its log says why")

    def _answer(self, jobs: list[Job]) -> None:
        if not jobs:
            return
        loaded = self._host.get(jobs[0].model)
        ready = [(job, made) for job in jobs if (made := _prepared(job, loaded)) is not None]
        alone = [pair for pair in ready if len(pair[1].batch) != 1]
        together = [pair for pair in ready if len(pair[1].batch) == 1]
        if len(together) > 1 and len(together) not in self._batches(jobs[0].model):
            # One was refused.
            alone, together = ready, []
        for pair in alone:
            self._run(loaded, [pair])
        self._run(loaded, together)

    def _run(self, loaded: Loaded, ready: list[tuple[Job, Prepared]]) -> None:
        """Run the batches of `ready` as one, and answer each."""
        if not ready:
            return
        batches = [made.batch for _, made in ready]
        batch = batches[0] if len(batches) == 1 else np.concatenate(batches)
        try:
            outputs = self._host.run_on(loaded, batch)
        except EdgeRuntimeError as error:
            log.warning("%s failed on %d pictures: %s", ready[0][0].model, len(batch), error)
            for job, _ in ready:
                job.refuse(500, str(error))
            return
        for index, (job, made) in enumerate(ready):
            own = outputs if len(ready) == 1 else _row(outputs, index)
            try:
                job.answer(made.finish(own))
            except AnswerError as error:
                job.answer(refusal(error))
            except EdgeRuntimeError as error:  # outputs that are not those of the contract
                log.warning("%s: %s", job.model, error)
                job.refuse(500, str(error))


def _tried(name: str, loaded: Loaded) -> tuple[int, ...]:
    try:
        return sizes_that_pay(loaded.session)
    except Exception:  # a defect of an engine's binding
        log.exception("%s could not be tried with batches", name)
        return ()


def _row(outputs: Outputs, index: int) -> Outputs:
    return {name: value[index : index + 1] for name, value in outputs.items()}


def _prepared(job: Job, loaded: Loaded) -> Prepared | None:
    try:
        return job.prepare(loaded)
    except AnswerError as error:
        job.answer(refusal(error))
    except InputError as error:
        job.refuse(400, str(error))
    return None
