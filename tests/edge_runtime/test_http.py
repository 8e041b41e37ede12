"""One document over the wire: packed or not, never too long, with an ETag to rely on or none."""

import contextlib
import gzip
import zlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.errors import EdgeRuntimeError, MissingError, TrustError
from edge_runtime.trust.http import Http, steady_etag
from edge_runtime.trust.unpacking import CHUNK_BYTES, unpacked

from .serving import Server

URL = "http://a.example/x.json"
DATA = bytes(range(256)) * 40
PACKED = {"Content-Encoding": "gzip"}
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def get(server: Server, limit: int = len(DATA)) -> bytes:
    return Http(timeout=5).get(f"{server.url}/x.json", limit)


@pytest.mark.parametrize("packs", [True, False])
def test_a_document_is_the_same_from_servers_with_gzip_and_without(
    server: Server, packs: bool
) -> None:
    server.packs = packs
    (server.folder / "x.json").write_bytes(DATA)
    assert get(server) == DATA


def test_a_gzip_bomb_is_cut_at_the_length_that_was_expected(server: Server) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    assert len(bomb) < 50_000
    server.answers["/x.json"] = lambda h: h.reply(200, bomb, PACKED)
    with pytest.raises(TrustError, match="longer than the 60000 bytes"):
        get(server, 60_000)


def test_a_bomb_is_unpacked_no_further_than_it_is_read() -> None:
    blocks = unpacked(URL, iter([gzip.compress(bytes(50_000_000))]))
    assert [len(next(blocks)) for _ in range(3)] == [CHUNK_BYTES] * 3


@pytest.mark.parametrize(
    ("body", "kind", "match"),
    [
        (gzip.compress(DATA)[:-9], MissingError, "broke off within its gzip"),
        (gzip.compress(DATA)[:-1], MissingError, "broke off within its gzip"),
        (b"", MissingError, "broke off within its gzip"),
        (DATA, TrustError, "is not the gzip that it is said to be"),
        (zlib.compress(DATA), TrustError, "is not the gzip that it is said to be"),
        (gzip.compress(DATA)[:-8] + bytes(8), TrustError, "is not the gzip"),
        (gzip.compress(DATA) + b"more", TrustError, "goes on after the end of its gzip"),
        (gzip.compress(DATA) + gzip.compress(b""), TrustError, "goes on after the end"),
    ],
    ids=["truncated", "a byte", "empty", "plain", "zlib", "bad sum", "trailing", "two members"],
)
def test_what_is_no_whole_gzip_is_refused(
    server: Server, body: bytes, kind: type[EdgeRuntimeError], match: str
) -> None:
    server.answers["/x.json"] = lambda h: h.reply(200, body, PACKED)
    with pytest.raises(kind, match=match):
        get(server)


@given(st.binary(max_size=500), st.integers(1, 50))
def test_packed_bytes_come_back_however_they_arrive(data: bytes, size: int) -> None:
    packed = gzip.compress(data)
    parts = [packed[start : start + size] for start in range(0, len(packed), size)]
    assert b"".join(unpacked(URL, iter(parts))) == data


@given(st.lists(st.binary(max_size=60), max_size=4), st.booleans())
def test_of_any_bytes_nothing_but_our_own_errors_come(parts: list[bytes], head: bool) -> None:
    with contextlib.suppress(EdgeRuntimeError):
        list(unpacked(URL, iter([gzip.compress(b"x")[:10] if head else b"", *parts])))


def test_not_modified_is_no_answer_to_a_question_without_an_etag(server: Server) -> None:
    server.answers["/x.json"] = lambda h: h.reply(304, b"")
    with pytest.raises(MissingError, match="'not modified' is no answer"):
        get(server)
    assert Http(timeout=5).ask(f"{server.url}/x.json", '"one"').status == 304


def headers(etag: str, age: float) -> dict[str, str]:
    """Of a file that changed `age` seconds before it was asked for."""
    changed = format_datetime(NOON - timedelta(seconds=age), usegmt=True)
    return {"ETag": etag, "Date": format_datetime(NOON, usegmt=True), "Last-Modified": changed}


@pytest.mark.parametrize("etag", ['"6a1b-1d3"', 'W/"6a1b-1d3"', '"' + "0" * 64 + '"'])
def test_an_etag_of_a_file_that_has_long_been_there_is_relied_on(etag: str) -> None:
    assert steady_etag(headers(etag, 3600)) == etag


@pytest.mark.parametrize("age", [-3600, 0, 1, 59])
def test_an_etag_of_a_file_that_has_just_changed_is_not_relied_on(age: float) -> None:
    """nginx makes it of length and seconds: the next timestamp may have the same."""
    assert steady_etag(headers('"1"', age)) == ""


@pytest.mark.parametrize(
    "wrong",
    [
        *({"ETag": etag} for etag in ("", "1", '"a b"', '"a\r\nX: y"', '"a"b"', '"' + "0" * 999)),
        *({name: stated} for name in ("Date", "Last-Modified") for stated in ("", "now", "0")),
        {"Date": "Fri, 01 May 2026 12:00:00"},
    ],
)
def test_odd_headers_leave_no_etag_to_rely_on(wrong: dict[str, str]) -> None:
    assert steady_etag({**headers('"1"', 3600), **wrong}) == ""
    assert steady_etag({}) == ""


@pytest.mark.parametrize(
    ("stated", "seconds"),
    [
        ("120", 120),
        ("-1", 0),
        ("soon", 0),
        ("nan", 0),
        ("9" * 9, 6 * 3600),  # urllib3's own limit
        ("9" * 5000, 0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Thu, 99 Jan 99999999999999999999 00:00:00 GMT", 0),
    ],
)
def test_a_server_that_is_too_busy_says_for_how_long(
    server: Server, stated: str, seconds: float
) -> None:
    server.answers["/x.json"] = lambda h: h.reply(503, b"", {"Retry-After": stated})
    http = Http(timeout=5)
    with pytest.raises(MissingError, match="answers 503"):
        http.get(f"{server.url}/x.json", 100)
    assert http.retry_after == seconds
