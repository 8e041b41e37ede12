"""One Label Studio server over HTTP, spoken to as one user; what it answers is bounded and typed.

The SDK's own client takes ten milliseconds for every task that it lists and refuses answers with
fewer fields, so the few calls that are needed are made here, with `include`, a tenth of that.
The bulk export is not used: the server keeps a copy of every file that it exports.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec
from msgspec import Struct

from edgefactory.datasets.errors import InputError, MissingError

_SECONDS: Final = 120.0  # for one answer; an import of a batch on a busy machine takes some
_MAX_BYTES: Final = 256 * 2**20  # of one answer
_PAGE: Final = 1000  # tasks a request, without their answers
_BATCH: Final = 100  # tasks a request, with their answers
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")

Json = dict[str, Any]
T = TypeVar("T")


class Project(Struct, frozen=True):
    """A project; `label_config` is its labelling interface, as XML.

    Label Studio asks `maximum_annotations` people about each task.
    """

    id: int
    title: str
    label_config: str
    created_at: str = ""
    maximum_annotations: int = 1


class TaskLine(Struct, frozen=True):
    """A task without its answers; `updated_at` changes with every answer, edit and deletion."""

    id: int
    data: Json
    updated_at: str
    total_annotations: int = 0
    cancelled_annotations: int = 0


class Annotation(Struct, frozen=True):
    """One person's answer; `lead_time` in seconds. `ground_truth`: starred, so it settles."""

    id: int
    result: tuple[Json, ...]
    completed_by: int | None = None
    was_cancelled: bool = False
    ground_truth: bool = False
    lead_time: float | None = None
    updated_at: str = ""


class AnsweredTask(Struct, frozen=True):
    """A task's answers."""

    id: int
    annotations: tuple[Annotation, ...] = ()


class Upload(Struct, frozen=True):
    """A file that the server keeps; `file` is its path below `/data/`."""

    id: int
    file: str


class _Page(Struct, frozen=True):
    total: int
    tasks: tuple[Any, ...]


class _Found(Struct, frozen=True):
    results: tuple[Project, ...]


class _Person(Struct, frozen=True):
    id: int
    email: str


class _Identified(Struct, frozen=True):
    id: int


class _Access(Struct, frozen=True):
    access: str


class Studio:
    """A connection; `with` closes it. All methods raise `MissingError` when the server does not
    answer, `InputError` when it refuses or answers something else."""

    def __init__(self, url: str, token: str) -> None:
        self.url, host = _checked(url)
        self._http = httpx.Client(
            base_url=self.url,
            auth=_PersonalToken(self.url, token) if token.count(".") == 2 else _LegacyToken(token),
            timeout=_SECONDS,
            trust_env=host not in _LOOPBACK,  # a proxy would look on its own machine
        )

    def __enter__(self) -> Studio:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._http.close()

    def who(self) -> str:
        """The address of the token's owner."""
        return self._ask("GET", "/api/current-user/whoami", _Person).email

    def people(self) -> dict[int, str]:
        """Addresses of all people, by their numbers."""
        return {person.id: person.email for person in self._ask("GET", "/api/users", list[_Person])}

    def project(self, title: str) -> Project | None:
        """The project of exactly this title; `InputError` when there are several."""
        found = self._ask("GET", "/api/projects", _Found, params={"title": title, "page_size": 100})
        same = [project for project in found.results if project.title == title]
        if len(same) > 1:
            raise InputError(f"{self.url} has {len(same)} projects {title!r}; rename one")
        return same[0] if same else None

    def create_project(self, title: str, label_config: str, reviewers: int) -> Project:
        """A new project in which `reviewers` people answer every task."""
        content = {
            "title": title,
            "label_config": label_config,
            "maximum_annotations": reviewers,
            "show_skip_button": True,
        }
        return self._ask("POST", "/api/projects", Project, json=content)

    def serve_folder(self, project: Project, folder: str) -> None:
        """Let the people of `project` see the pictures in the server's own `folder`."""
        known = self._ask(
            "GET", "/api/storages/localfiles", list[Json], params={"project": project.id}
        )
        if not any(storage.get("path") == folder for storage in known):
            content = {"project": project.id, "path": folder, "title": "pictures"}
            self._ask("POST", "/api/storages/localfiles", Json, json=content)

    def tasks(self, project: Project) -> Iterator[TaskLine]:
        """All tasks of the project, a page at a time."""
        fields = "id,data,updated_at,total_annotations,cancelled_annotations"
        question = {"project": project.id, "fields": "task_only", "include": fields}
        page, seen = 1, 0
        while True:
            params = question | {"page_size": _PAGE, "page": page}
            found = self._ask("GET", "/api/tasks", _Page, params=params)
            yield from self._typed(found.tasks, tuple[TaskLine, ...])
            seen += len(found.tasks)
            if seen >= found.total or not found.tasks:
                return
            page += 1

    def answers(self, project: Project, ids: Sequence[int]) -> Iterator[AnsweredTask]:
        """The answers of the tasks `ids`, a batch at a time; tasks that are gone are left out."""
        fields = (
            "id,annotations,result,completed_by,was_cancelled,ground_truth,lead_time,updated_at"
        )
        for start in range(0, len(ids), _BATCH):
            chosen = {"all": False, "included": list(ids[start : start + _BATCH])}
            params = {
                "project": project.id,
                "fields": "all",
                "include": fields,
                "page_size": _BATCH,
                "query": json.dumps({"selectedItems": chosen}),
            }
            found = self._ask("GET", "/api/tasks", _Page, params=params)
            yield from self._typed(found.tasks, tuple[AnsweredTask, ...])

    def import_tasks(self, project: Project, tasks: Sequence[Json]) -> None:
        """Add tasks with their predictions, in one request. One at a time: SQLite locks."""
        self._ask("POST", f"/api/projects/{project.id}/import", Json, json=tasks)

    def replace_prediction(self, task: int, data: Json, prediction: Json | None) -> None:
        """Give a task another prediction, then other data; broken off, it can be done again."""
        old = self._ask("GET", "/api/predictions", list[_Identified], params={"task": task})
        if prediction is not None:
            self._ask("POST", "/api/predictions", Json, json=prediction | {"task": task})
        for one in old:
            self._send("DELETE", f"/api/predictions/{one.id}")
        self._ask("PATCH", f"/api/tasks/{task}", Json, json={"data": data})

    def uploads(self, project: Project) -> list[Upload]:
        """The files that the project's people uploaded."""
        path, params = f"/api/projects/{project.id}/file-uploads", {"all": "true"}
        return self._ask("GET", path, list[Upload], params=params)

    def upload(self, project: Project, pictures: Mapping[str, bytes]) -> None:
        """Keep files on the server, by name, without making tasks of them."""
        files = [(name, (name, content)) for name, content in pictures.items()]
        path, params = f"/api/projects/{project.id}/import", {"commit_to_project": "false"}
        self._ask("POST", path, Json, params=params, files=files)

    def _ask(self, method: str, path: str, kind: type[T], **how: Any) -> T:
        return self._typed(self._send(method, path, **how), kind)

    def _typed(self, found: object, kind: type[T]) -> T:
        try:
            if isinstance(found, bytes):
                return msgspec.json.decode(found, type=kind)
            return msgspec.convert(found, kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{self.url} does not answer as Label Studio does: {error}") from error

    def _send(self, method: str, path: str, **how: Any) -> bytes:
        content = bytearray()
        try:
            with self._http.stream(method, path, **how) as response:
                for block in response.iter_bytes():
                    content += block
                    if len(content) > _MAX_BYTES:
                        raise InputError(f"{self.url}{path} answers more than {_MAX_BYTES} bytes")
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise MissingError(
                f"{self.url} does not answer ({reason}); is the server running? "
                "`edgefactory label serve` starts one"
            ) from error
        if response.status_code == 401:
            raise InputError(f"{self.url} refuses the token; get a new one on its account page")
        if not response.is_success:
            said = _detail(bytes(content)) or response.headers.get("location", "")
            raise InputError(
                f"{self.url} says {response.status_code} to {method} {path}: {said[:300]}"
            )
        return bytes(content)


class _LegacyToken(httpx.Auth):
    """The token that is sent as it is."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Token {self._token}"
        yield request


class _PersonalToken(httpx.Auth):
    """The newer token (a JWT), which is changed for one that is good for some minutes."""

    def __init__(self, url: str, token: str) -> None:
        self._refresh = httpx.Request("POST", f"{url}/api/token/refresh", json={"refresh": token})
        self._access = ""

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        if self._access:
            request.headers["Authorization"] = f"Bearer {self._access}"
            response = yield request
            if response.status_code != 401:
                return
        answer = yield self._refresh
        if answer.is_success:
            with suppress(msgspec.DecodeError, UnicodeDecodeError):
                self._access = msgspec.json.decode(answer.read(), type=_Access).access
                request.headers["Authorization"] = f"Bearer {self._access}"
        yield request  # where there is no new one, the server says what it says to a stranger


def _detail(content: bytes) -> str:
    """What the server says went wrong, from its JSON where it is JSON."""
    try:
        found = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    if not isinstance(found, dict):
        return str(found)
    return str(found.get("validation_errors") or found.get("detail") or found)


def _checked(url: str) -> tuple[str, str]:
    """The server's URL without a last slash, and its host."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.port != 0 and parts.username is None
    except ValueError:
        good = False
    if not good or not parts.hostname:
        raise InputError("the URL of the server is not of the form http(s)://HOST:PORT")
    return url.rstrip("/"), parts.hostname
