"""Which request asks for what, and the answers that need no worker."""

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from edge_runtime.errors import MissingError
from edge_runtime.hosting import Host, Loaded
from edge_runtime.serving import metadata
from edge_runtime.serving.http1 import Answer, AnswerError

Kind = Literal[
    "page",
    "status",
    "live-picture",
    "metrics",
    "live",
    "ready",
    "server",
    "index",
    "load",
    "model",
    "model-ready",
    "infer",
]

_MODEL = r"/v2/models/([^/]+)(?:/versions/([^/]+))?"
_ROUTES: tuple[tuple[str, "re.Pattern[str]", Kind], ...] = (
    ("POST", re.compile(_MODEL + "/infer"), "infer"),
    ("GET", re.compile(_MODEL), "model"),
    ("GET", re.compile(_MODEL + "/ready"), "model-ready"),
    ("GET", re.compile("/v2/health/live"), "live"),
    ("GET", re.compile("/v2/health/ready"), "ready"),
    ("GET", re.compile("/v2/?"), "server"),
    ("GET", re.compile("/metrics"), "metrics"),
    ("GET", re.compile("/"), "page"),
    ("GET", re.compile("/status.json"), "status"),
    ("GET", re.compile("/live/([^/]+)"), "live-picture"),
    ("GET POST", re.compile("/v2/repository/index"), "index"),
    ("POST", re.compile("/v2/repository/models/([^/]+)/(?:un)?load"), "load"),
)
PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; img-src 'self'; connect-src 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


class Route(msgspec.Struct, frozen=True):
    """What is asked for; `model` and `version` are empty where there is none."""

    kind: Kind
    model: str = ""
    version: str = ""


def route(method: str, path: str) -> Route:
    """The route of a request; HEAD goes where GET does. Raises AnswerError 404 or 405."""
    for methods, pattern, kind in _ROUTES:
        found = pattern.fullmatch(path)
        if found is not None:
            if ("GET" if method == "HEAD" else method) not in methods.split():
                allowed = methods.replace("GET", "GET HEAD").replace(" ", ", ")
                raise AnswerError(405, f"{method} is not done here", {"Allow": allowed})
            model, version = (*found.groups(), "", "")[:2]
            return Route(kind, model or "", version or "")
    raise AnswerError(404, "there is nothing at this path; GET /v2 says what runs here")


def loaded(host: Host, asked: Route) -> Loaded:
    """The model that is asked for. Raises AnswerError 404."""
    try:
        found = host.get(asked.model)
    except MissingError as error:
        raise AnswerError(404, str(error)) from error
    runs = found.active.release.version
    if asked.version not in ("", runs):
        raise AnswerError(404, f"{asked.model} {asked.version} is not loaded; {runs} is")
    return found


def all_loaded(host: Host) -> Iterator[tuple[str, Loaded]]:
    """All models by name, as they are now."""
    for name in host.names():
        with contextlib.suppress(MissingError):  # it was dropped meanwhile
            yield name, host.get(name)


def json(document: Mapping[str, Any] | list[Any], status: int = 200) -> Answer:
    """A document as an answer."""
    return Answer(status, msgspec.json.encode(document), headers={"Cache-Control": "no-store"})


def page() -> Answer:
    """The status page."""
    import importlib.resources  # it takes longer to load than most of this package

    html = importlib.resources.files("edge_runtime.serving").joinpath("page.html").read_bytes()
    return Answer(200, html, "text/html; charset=utf-8", PAGE_HEADERS)


def index(host: Host) -> Answer:
    """All that is loaded, as Triton's model repository extension tells it."""
    return json(
        [
            {
                "name": name,
                "version": loaded.active.release.version,
                "state": "READY",
                "reason": "",
            }
            for name, loaded in all_loaded(host)
        ]
    )


def about(host: Host, asked: Route) -> Answer:
    """A model's metadata."""
    return json(metadata.model(asked.model, loaded(host, asked)))
