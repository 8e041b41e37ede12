"""A blob over a real, unkind wire."""

import socket
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.contract import FileRef, digest
from edge_runtime.errors import EdgeRuntimeError, MissingError, StorageError, TrustError
from edge_runtime.trust.blobs import fetch_blob
from edge_runtime.trust.http import Http

from .serving import Handler, Server

DATA = np.random.default_rng(0).bytes(300_000)
REF = FileRef(digest(DATA), len(DATA))
PATH = f"/blobs/{REF.sha256}"


class Fetch:
    """One blob on its way from `server` to a folder."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.blob = server.folder / "blobs" / REF.sha256
        self.blob.parent.mkdir()
        self.blob.write_bytes(DATA)
        self.partial, self.final = folder / "partial", folder / "final"

    def __call__(self, timeout: float = 5.0) -> None:
        fetch_blob(Http(timeout), self.server.url + PATH, REF, self.partial, self.final)

    @property
    def ranges(self) -> list[str]:
        """The Range headers that the server saw."""
        return [asked for _, asked in self.server.asked]

    def refused(self, kind: type[EdgeRuntimeError], match: str) -> None:
        """The fetch must fail so, and leave nothing that looks fetched."""
        with pytest.raises(kind, match=match):
            self()
        assert not self.final.exists()


@pytest.fixture
def fetch(server: Server, tmp_path: Path) -> Fetch:
    """A blob that is published and not yet fetched."""
    return Fetch(server, tmp_path)


def test_a_blob_arrives(fetch: Fetch) -> None:
    fetch()
    assert fetch.final.read_bytes() == DATA
    assert not fetch.partial.exists()


def test_a_partial_file_is_continued_by_range(fetch: Fetch) -> None:
    fetch.partial.write_bytes(DATA[:123_456])
    fetch()
    assert fetch.final.read_bytes() == DATA
    assert fetch.ranges == ["bytes=123456-"]


def test_a_complete_partial_file_needs_no_request(fetch: Fetch) -> None:
    fetch.partial.write_bytes(DATA)
    fetch()
    assert fetch.ranges == []
    assert fetch.final.read_bytes() == DATA


def test_a_connection_that_breaks_is_continued_at_once(fetch: Fetch) -> None:
    def break_off(handler: Handler) -> None:
        fetch.server.answers.clear()
        handler.reply(200, DATA[:200_000], declared=len(DATA))

    fetch.server.answers[PATH] = break_off
    fetch()
    assert fetch.final.read_bytes() == DATA
    assert fetch.ranges[0] == ""
    assert fetch.ranges[1].startswith("bytes=")


def test_a_connection_that_always_breaks_keeps_what_came(fetch: Fetch) -> None:
    fetch.server.answers[PATH] = lambda h: h.reply(200, DATA[:65_536], declared=len(DATA))
    fetch.refused(MissingError, "run the command again to continue")
    assert fetch.partial.read_bytes() == DATA[: fetch.partial.stat().st_size]
    assert fetch.partial.stat().st_size > 0


def test_a_server_without_ranges_sends_it_all_again(fetch: Fetch) -> None:
    fetch.partial.write_bytes(DATA[:1000])
    fetch.server.answers[PATH] = lambda h: h.reply(200, DATA)
    fetch()
    assert fetch.final.read_bytes() == DATA


def test_a_stale_partial_file_is_thrown_away(fetch: Fetch) -> None:
    fetch.partial.write_bytes(b"x" * 1000)
    fetch()
    assert fetch.ranges == ["bytes=1000-", ""]
    assert fetch.final.read_bytes() == DATA


def test_a_partial_file_longer_than_the_blob_is_thrown_away(fetch: Fetch) -> None:
    fetch.partial.write_bytes(b"x" * (len(DATA) + 1))
    fetch()
    assert fetch.ranges == [""]


def test_a_range_beyond_the_file_starts_anew(fetch: Fetch) -> None:
    fetch.partial.write_bytes(DATA[:1000])
    answered = []

    def beyond(handler: Handler) -> None:
        answered.append(handler.headers.get("Range"))
        handler.reply(416, b"") if len(answered) == 1 else handler.reply(200, DATA)

    fetch.server.answers[PATH] = beyond
    fetch()
    assert answered == ["bytes=1000-", None]


def test_changed_bytes_are_refused_and_not_kept(fetch: Fetch) -> None:
    fetch.blob.write_bytes(b"x" + DATA[1:])
    fetch.refused(TrustError, "changed or damaged on the server")
    assert not fetch.partial.exists()


def test_too_long_a_file_is_cut_off(fetch: Fetch) -> None:
    fetch.blob.write_bytes(DATA + b"x")
    fetch.refused(TrustError, "longer than the 300000 bytes that were signed")
    assert not fetch.partial.exists()


def test_another_range_than_asked_for_is_not_believed(fetch: Fetch) -> None:
    fetch.partial.write_bytes(DATA[:1000])
    spread = {"Content-Range": f"bytes 0-{len(DATA) - 1}/{len(DATA)}"}
    fetch.server.answers[PATH] = lambda h: h.reply(206, DATA, spread)
    fetch.refused(MissingError, "another range")


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_an_error_status_is_named(fetch: Fetch, status: int) -> None:
    fetch.server.answers[PATH] = lambda h: h.reply(status, b"no")
    fetch.refused(MissingError, f"the server answers {status}")


def test_a_captive_portal_is_named(fetch: Fetch) -> None:
    page = {"Content-Type": "text/html"}
    fetch.server.answers[PATH] = lambda h: h.reply(200, b"<html>", page)
    fetch.refused(MissingError, "captive portal")


def test_a_refused_connection_is_named(fetch: Fetch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/blob"
        with pytest.raises(MissingError, match="nothing answers at this address"):
            fetch_blob(Http(5), url, REF, fetch.partial, fetch.final)


def test_a_server_that_hangs_is_left_in_time(fetch: Fetch) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/blob"
        with pytest.raises(MissingError, match="does not answer in time"):
            fetch_blob(Http(0.2), url, REF, fetch.partial, fetch.final)


def test_a_full_disk_is_named(fetch: Fetch) -> None:
    fetch.partial.symlink_to("/dev/full")
    fetch.refused(StorageError, "the disk is full")
