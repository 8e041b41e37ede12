"""What a server may answer, and what becomes of it: one line that names the server."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.studio import Project, Studio


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers every request with what the test wants."""

    server: Scripted

    def do_GET(self) -> None:
        self.server.seen.append((self.path, self.headers.get("Authorization", "")))
        status, body = self.server.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
        """Keep the tests' output quiet."""


class Scripted(http.server.ThreadingHTTPServer):
    """A server that is not Label Studio."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer: tuple[int, bytes] = (200, b"{}")
        self.seen: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def server() -> Iterator[Scripted]:
    with Scripted() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (200, b"<html>", "does not answer as Label Studio does"),
        (200, b'{"email": 3}', "does not answer as Label Studio does"),
        (401, b'{"detail": "Invalid token."}', "refuses the token"),
        (404, b"no", "says 404 to GET /api/current-user/whoami"),
        (400, b'{"validation_errors": {"title": ["short"]}}', "short"),
        (302, b"", "says 302"),
        (500, b"\xff\xfe", "says 500"),
    ],
)
def test_an_odd_answer_is_one_line(
    server: Scripted, status: int, body: bytes, message: str
) -> None:
    server.answer = (status, body)
    with Studio(server.url, "secret") as studio, pytest.raises(InputError) as caught:
        studio.who()
    assert message in str(caught.value)
    assert str(caught.value).startswith(server.url)
    assert "secret" not in str(caught.value)


def test_an_endless_answer_is_not_read(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgefactory.datasets.studio.client._MAX_BYTES", 1000)
    server.answer = (200, b" " * 1001)
    with Studio(server.url, "secret") as studio, pytest.raises(InputError, match="more than 1000"):
        studio.who()


def test_a_list_that_never_ends_is_left(server: Scripted) -> None:
    server.answer = (200, b'{"total": 5, "tasks": []}')
    with Studio(server.url, "secret") as studio:
        assert list(studio.tasks(Project(1, "p", "<View/>"))) == []
    assert len(server.seen) == 1


def test_two_projects_of_one_title_are_refused(server: Scripted) -> None:
    one = b'{"id": 1, "title": "digits", "label_config": "<View/>"}'
    server.answer = (200, b'{"results": [' + one + b"," + one + b"]}")
    with Studio(server.url, "secret") as studio:
        assert studio.project("digit") is None
        with pytest.raises(InputError, match="2 projects 'digits'"):
            studio.project("digits")


def test_the_token_goes_into_the_header_only(server: Scripted) -> None:
    server.answer = (200, b'{"id": 1, "email": "ann@example.org"}')
    with Studio(server.url + "/", "secret") as studio:
        assert studio.who() == "ann@example.org"
    assert server.seen == [("/api/current-user/whoami", "Token secret")]


def test_a_token_that_is_changed_for_nonsense_is_one_line(server: Scripted) -> None:
    server.answer = (200, b"<html>")
    with Studio(server.url, "a.b.c") as studio, pytest.raises(InputError, match="as Label Studio"):
        studio.who()
    assert [path for path, _ in server.seen] == ["/api/token/refresh", "/api/current-user/whoami"]


def test_a_port_without_a_server_is_missing() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # nobody else gets the port, and nobody listens on it
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with Studio(url, "secret") as studio, pytest.raises(MissingError, match="label serve"):
            studio.who()


@pytest.mark.parametrize(
    "url", ["labels.example.org", "ftp://x", "http://", "http://u:p@x", "http://x:99999"]
)
def test_what_is_no_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InputError, match="not of the form") as caught:
        Studio(url, "secret")
    assert url not in str(caught.value)
