"""Requests become answers: at once, or through the pool; each is counted and logged."""

import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from threading import Lock

import msgspec
from msgspec.structs import replace

from edge_runtime.hosting import Host, Loaded
from edge_runtime.serving import metadata, routes
from edge_runtime.serving.answering import Prepared, Preparing
from edge_runtime.serving.connection import Pending, Reply, Request
from edge_runtime.serving.http1 import Answer, AnswerError, refusal
from edge_runtime.serving.live import Live
from edge_runtime.serving.metrics import KIND, Metrics
from edge_runtime.serving.pool import Job, Pool
from edge_runtime.serving.settings import Limits
from edge_runtime.serving.status import Counted, Status, facts

FILES = ("image/jpeg", "image/png", "audio/wav", "audio/x-wav", "application/x-npy")
TIMEOUT = "x-timeout-ms"

log = logging.getLogger(__name__)
access_log = logging.getLogger("edge_runtime.serving.access")


class App:
    """See `connection.Application`. Belongs to whoever holds its lock, as all connections do."""

    def __init__(
        self,
        host: Host,
        pool: Pool,
        status: Status,
        limits: Limits,
        live: Live,
        counted: Counted = tuple,
    ) -> None:
        self._host, self._pool, self._status, self._limits = host, pool, status, limits
        self._counted = counted
        self.lock = Lock()
        self.live, self.metrics = live, Metrics()
        self.draining = False
        self.in_flight = self.connections = 0

    def ask(self, request: Request, reply: Reply) -> Pending | None:
        """See `Application.ask`."""
        try:
            asked = routes.route(request.head.method, request.head.path)
            if asked.kind == "infer":
                return self._infer(request, asked, reply)
            answer = self._now(request, asked)
        except AnswerError as error:
            answer = refusal(error)
        except Exception:  # what others add to the page, say
            log.exception("%s %s failed", request.head.method, request.head.path[:256])
            answer = refusal(AnswerError(500, "the server failed; its log says why"))
        reply(answer)
        return None

    def _now(self, request: Request, asked: routes.Route) -> Answer:
        answers: Mapping[routes.Kind, Callable[[], Answer]] = {
            "index": partial(self._admin, request, asked),
            "load": partial(self._admin, request, asked),
            "live": partial(routes.json, {"live": True}),
            "ready": self._ready,
            "server": partial(routes.json, metadata.server()),
            "model": partial(routes.about, self._host, asked),
            "model-ready": partial(self._model_ready, asked),
            "metrics": self._metrics,
            "status": self._facts,
            "live-picture": partial(self._picture, asked.model),
            "page": routes.page,
        }
        return answers[asked.kind]()

    def _ready(self) -> Answer:
        ready = bool(self._host.names()) and not self.draining
        return routes.json({"ready": ready}, 200 if ready else 503)

    def _model_ready(self, asked: routes.Route) -> Answer:
        routes.loaded(self._host, asked)
        ready = not self.draining
        return routes.json({"name": asked.model, "ready": ready}, 200 if ready else 503)

    def _facts(self) -> Answer:
        return routes.json(facts(self._host, self.metrics, self.live, self._status()))

    def _admin(self, request: Request, asked: routes.Route) -> Answer:
        if not request.admin:
            raise AnswerError(403, "the repository is shown on the unix socket only")
        if asked.kind == "load":
            raise AnswerError(
                403, "signed rollouts decide what is loaded; `edge-runtime rollback` goes back"
            )
        return routes.index(self._host)

    def _picture(self, model: str) -> Answer:
        seen = self.live.get(model)
        if seen is None:
            raise AnswerError(404, f"no picture of {model} has been kept")
        return Answer(200, seen.data, seen.kind, {"Cache-Control": "no-store", **_NOSNIFF})

    def _metrics(self) -> Answer:
        gauges = {
            "queue_requests": self._pool.waiting,
            "queue_limit": self._limits.waiting,
            "running_requests": self._pool.running,
            "longest_running_seconds": self._pool.longest(),
            "connections": self.connections,
        }
        info = []
        for name, loaded in routes.all_loaded(self._host):
            active = loaded.active
            info.append(
                {
                    "model": name,
                    "version": active.release.version,
                    "release": active.slot.release.sha256,
                    "variant": active.slot.variant,
                    "engine": active.slot.engine,
                }
            )
        lines = "".join(f"{line}\n" for line in self._counted())
        return Answer(200, self.metrics.text(gauges, info) + lines.encode(), KIND)

    def _infer(self, request: Request, asked: routes.Route, reply: Reply) -> Pending | None:
        routes.loaded(self._host, asked)
        if self.draining:
            stopping = AnswerError(503, "this server is being stopped", {"Retry-After": "5"})
            reply(replace(refusal(stopping), model=asked.model))
            return None
        seconds = _deadline(request, self._limits.deadline_s)

        def cancel() -> None:
            if not job.abandoned:
                job.abandoned = True
                self.in_flight -= 1

        def end(answer: Answer) -> None:
            """The first to come is the answer."""
            if not job.abandoned:
                cancel()
                reply(replace(answer, model=asked.model))

        def late() -> None:
            end(refusal(AnswerError(504, f"there was no answer within {seconds:g} seconds")))

        def done(answer: Answer) -> None:
            with self.lock:
                end(answer)

        self.in_flight += 1
        job = Job(asked.model, partial(self._prepare, request, asked), done)
        if self._pool.submit(job):
            return Pending(seconds, late, cancel)
        cancel()
        full = AnswerError(429, "too many requests wait; try again", {"Retry-After": "1"})
        reply(replace(refusal(full), model=asked.model))
        return None

    def _prepare(self, request: Request, asked: routes.Route, loaded: Loaded) -> Prepared:
        """Where it is run, without the lock: the body becomes the graph's input."""
        if asked.version not in ("", loaded.active.release.version):  # replaced meanwhile
            raise AnswerError(404, f"{asked.model} {asked.version} is not loaded any more")
        preparing = Preparing(asked.model, self.live, self._limits.pictures)
        kind = request.head.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind in FILES:
            return preparing.picture(request.body, loaded)
        length = request.head.headers.get("inference-header-content-length")
        return preparing.infer(request.body, length, loaded)

    def told(self, request: Request | None, answer: Answer, sent: int) -> None:
        """See `Application.told`."""
        received = 0 if request is None else request.head.length
        self.metrics.count(answer.model, answer.status, received, sent)
        seconds = 0.0 if request is None else time.monotonic() - request.started
        if answer.model:
            self.metrics.inferred(answer.model, answer.status, seconds)
        if access_log.isEnabledFor(logging.INFO):
            line = {
                "peer": "" if request is None else request.peer,
                "method": "" if request is None else request.head.method,
                "path": "" if request is None else request.head.path[:256],
                "status": answer.status,
                "ms": round(seconds * 1000, 3),
                "received": received,
                "sent": sent,
            }
            access_log.info("%s", msgspec.json.encode(line).decode())


_NOSNIFF = {"X-Content-Type-Options": "nosniff"}


def _deadline(request: Request, usual: float) -> float:
    text = request.head.headers.get(TIMEOUT)
    if text is None:
        return usual
    if not (text.isascii() and text.isdigit() and 0 < len(text) <= 9) or int(text) == 0:
        raise AnswerError(400, f"{TIMEOUT} is not a whole number of milliseconds from 1 up")
    return min(usual, int(text) / 1000)
