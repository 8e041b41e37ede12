"""The static server gives files of the tree and nothing else."""

from __future__ import annotations

import http.client
from pathlib import Path

import pytest

from edgefactory.datasets.errors import InputError
from edgefactory.registry import Server, serve


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    (tree / "blobs").mkdir(parents=True)
    (tree / "blobs" / "abc").write_bytes(b"0123456789")
    (tree / ".hidden").write_bytes(b"hidden")
    (tmp_path / "secret").write_bytes(b"secret")
    (tree / "link").symlink_to(tmp_path / "secret")
    return tree


def ask(
    server: Server, path: str, method: str = "GET", headers: dict[str, str] | None = None
) -> tuple[int, bytes, dict[str, str]]:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())
    finally:
        connection.close()


def test_a_file_is_given_whole(folder: Path) -> None:
    with serve(folder) as server:
        status, body, headers = ask(server, "/blobs/abc")
        assert (status, body, headers["Content-Length"]) == (200, b"0123456789", "10")
        status, body, headers = ask(server, "/blobs/abc", "HEAD")
        assert (status, body, headers["Content-Length"]) == (200, b"", "10")


@pytest.mark.parametrize(
    ("asked", "status", "body"),
    [
        ("bytes=4-", 206, b"456789"),
        ("bytes=2-3", 206, b"23"),
        ("bytes=8-99", 206, b"89"),
        ("bytes=10-", 200, b"0123456789"),
        ("bytes=5-2", 200, b"0123456789"),
        ("lines=1-", 200, b"0123456789"),
    ],
)
def test_a_broken_download_goes_on(folder: Path, asked: str, status: int, body: bytes) -> None:
    with serve(folder) as server:
        assert ask(server, "/blobs/abc", headers={"Range": asked})[:2] == (status, body)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/blobs",
        "/blobs/",
        "/nothing",
        "/../secret",
        "/%2e%2e/secret",
        "/blobs/..%2f..%2fsecret",
        "//etc/passwd",
        "/link",
        "/.hidden",
        "/a%00b",
        "/" + "a" * 5000,
    ],
)
def test_nothing_else_is_given(folder: Path, path: str) -> None:
    with serve(folder) as server:
        status, body, _ = ask(server, path)
        assert status == 404
        assert not body.startswith(b"secret")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_only_reading_is_possible(folder: Path, method: str) -> None:
    with serve(folder) as server:
        assert ask(server, "/blobs/abc", method)[0] == 501


def test_a_port_in_use_is_one_line(folder: Path) -> None:
    with (
        serve(folder) as server,
        pytest.raises(InputError, match="choose another port"),
        serve(folder, port=server.port),
    ):
        pass


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a folder"), serve(tmp_path / "none"):
        pass
