"""Heads of requests: read strictly, refused with one line, never anything else."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge_runtime.serving.http1 import Answer, AnswerError, parse_head, refusal, response

MOST = 1000


def _head(*lines: str) -> bytes:
    return "\r\n".join(lines).encode("latin-1")


def test_a_request_is_read() -> None:
    head = parse_head(
        _head("POST /v2/models/m/infer?x=1 HTTP/1.1", "Host: a", "content-length: 12"), MOST
    )
    assert (head.method, head.path, head.length) == ("POST", "/v2/models/m/infer", 12)
    assert head.keep_alive
    assert not head.expects


@pytest.mark.parametrize(
    ("first", "connection", "kept"),
    [
        ("GET / HTTP/1.1", "keep-alive", True),
        ("GET / HTTP/1.1", "Close", False),
        ("GET / HTTP/1.0", "", False),
        ("GET / HTTP/1.0", "Keep-Alive", True),
    ],
)
def test_a_connection_is_kept_as_its_version_says(first: str, connection: str, kept: bool) -> None:
    assert parse_head(_head(first, "Host: a", f"Connection: {connection}"), MOST).keep_alive is kept


@pytest.mark.parametrize(
    ("status", "lines"),
    [
        (400, ["GET  / HTTP/1.1", "Host: a"]),
        (400, ["GET / HTTP/1.1\nHost: a"]),
        (400, ["get / HTTP/1.1", "Host: a"]),
        (400, ["GET http://a/ HTTP/1.1", "Host: a"]),
        (400, ["GET /\x00 HTTP/1.1", "Host: a"]),
        (400, ["GET / HTTP/1.1"]),
        (400, ["GET / HTTP/1.1", "Host: a", "Host: b"]),
        (400, ["GET / HTTP/1.1", "Host: a", "Name : b"]),
        (400, ["GET / HTTP/1.1", "Host: a", " folded"]),
        (400, ["GET / HTTP/1.1", "Host: a", "X: a\nY: b"]),
        (400, ["GET / HTTP/1.1", "Host: a", "X: a\x00"]),
        (400, ["POST / HTTP/1.1", "Host: a", "Content-Length: 1", "Content-Length: 1"]),
        (400, ["POST / HTTP/1.1", "Host: a", "Content-Length: +1"]),
        (400, ["POST / HTTP/1.1", "Host: a", "Content-Length: 1, 1"]),
        (400, ["POST / HTTP/1.1", "Host: a", "Content-Length: ²"]),
        (411, ["POST / HTTP/1.1", "Host: a"]),
        (411, ["POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked"]),
        (411, ["POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Content-Length: 3"]),
        (413, ["POST / HTTP/1.1", "Host: a", f"Content-Length: {MOST + 1}"]),
        (413, ["POST / HTTP/1.1", "Host: a", f"Content-Length: {'9' * 5000}"]),
        (415, ["POST / HTTP/1.1", "Host: a", "Content-Length: 1", "Content-Encoding: gzip"]),
        (417, ["POST / HTTP/1.1", "Host: a", "Content-Length: 1", "Expect: tea"]),
        (431, ["GET / HTTP/1.1", "Host: a", *["X: y"] * 70]),
        (505, ["GET / HTTP/2.0", "Host: a"]),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(status: int, lines: list[str]) -> None:
    with pytest.raises(AnswerError) as caught:
        parse_head(_head(*lines), MOST)
    assert caught.value.status == status


_PIECES = st.sampled_from(
    ["GET", "POST", " ", "/", "HTTP/1.1", "\r\n", "\n", "Host: a", "Content-Length", ": ", "5", "é"]
)


@given(st.one_of(st.binary(max_size=300), st.lists(_PIECES).map(lambda p: "".join(p).encode())))
@example(b"")
def test_any_bytes_are_a_head_or_one_refusal(data: bytes) -> None:
    try:
        head = parse_head(data, MOST)
    except AnswerError as error:
        answer = refusal(error)
        assert 400 <= answer.status < 600
        assert answer.body.count(b"\n") == 1
    else:
        assert 0 <= head.length <= MOST
        assert head.path.startswith("/")


def test_a_response_says_its_length_and_whether_it_closes() -> None:
    data = response(Answer(429, b"{}", headers={"Retry-After": "1"}), close=True)
    head, _, body = data.partition(b"\r\n\r\n")
    assert body == b"{}"
    assert head.decode().split("\r\n") == [
        "HTTP/1.1 429 Too Many Requests",
        "Content-Type: application/json",
        "Content-Length: 2",
        "Retry-After: 1",
        "Connection: close",
    ]
