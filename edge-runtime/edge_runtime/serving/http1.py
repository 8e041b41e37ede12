"""Heads of HTTP/1.1 requests, read strictly, and answers as bytes. Pure.

What two parsers could read differently is refused (RFC 9112, sections 2.2, 5 and 6): bare line
feeds, folded or spaced header names, lengths that are repeated or no plain number. Bodies carry a
Content-Length; chunked ones are answered 411.
"""

import re
from collections.abc import Mapping
from http import HTTPStatus

import msgspec

MAX_HEADERS = 64

_REQUEST = re.compile(r"([A-Z]{1,16}) (/[!-~]*) HTTP/(\d)\.(\d)")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*)")
_REASONS = {status.value: status.phrase for status in HTTPStatus}
_SINGLE = {  # a second one of these is refused: which one would count?
    *("authorization", "connection", "content-encoding", "content-length", "content-type"),
    *("expect", "host", "inference-header-content-length", "transfer-encoding", "x-timeout-ms"),
}


class AnswerError(Exception):
    """What a request is answered with when it is not done: a status and one line."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}


class Head(msgspec.Struct, frozen=True):
    """A request without its body; names of `headers` are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    length: int
    keep_alive: bool
    expects: bool  # waits for "100 Continue" before it sends the body


class Answer(msgspec.Struct, frozen=True):
    """A response; `model` is what it is counted under."""

    status: int
    body: bytes
    kind: str = "application/json"
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    model: str = ""


def refusal(error: AnswerError) -> Answer:
    """`{"error": …}` in one line."""
    body = msgspec.json.encode({"error": " ".join(str(error).split())[:500]}) + b"\n"
    return Answer(error.status, body, headers=error.headers)


def parse_head(data: bytes, most_bytes: int) -> Head:
    """The head in `data`, which ends before the empty line. Raises AnswerError."""
    lines = data.decode("latin-1").split("\r\n")
    if len(lines) > MAX_HEADERS + 1:
        raise AnswerError(431, f"{len(lines) - 1} header lines; at most {MAX_HEADERS} are read")
    request = _REQUEST.fullmatch(lines[0])
    if request is None:
        raise AnswerError(400, "the first line is not of the form METHOD /path HTTP/1.1")
    method, target, major, minor = request.groups()
    if major != "1" or minor not in "01":
        raise AnswerError(505, f"HTTP/{major}.{minor} is not spoken here; use HTTP/1.1")
    headers = _headers(lines[1:])
    if minor == "1" and "host" not in headers:
        raise AnswerError(400, "an HTTP/1.1 request needs a Host header")
    connection = headers.get("connection", "").lower()
    return Head(
        method,
        target.partition("?")[0],
        headers,
        _length(method, headers, most_bytes),
        "close" not in connection and (minor == "1" or "keep-alive" in connection),
        _expects(headers) and minor == "1",
    )


def _headers(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        header = _HEADER.fullmatch(line)
        if header is None:
            raise AnswerError(400, "a header line is not of the form Name: value")
        name = header[1].lower()
        if name in found and name in _SINGLE:
            raise AnswerError(400, f"the header {name} comes twice")
        found[name] = header[2].strip(" \t")
    return found


def _length(method: str, headers: Mapping[str, str], most_bytes: int) -> int:
    if "transfer-encoding" in headers:
        raise AnswerError(411, "a Transfer-Encoding is not taken; send a Content-Length")
    text = headers.get("content-length")
    if text is None:
        if method in ("POST", "PUT", "PATCH"):
            raise AnswerError(411, "a Content-Length is needed")
        return 0
    if not (text.isascii() and text.isdigit()):
        raise AnswerError(400, "the Content-Length is not a whole number")
    if len(text) > 15 or int(text) > most_bytes:
        raise AnswerError(413, f"the body is too long; at most {most_bytes} bytes are taken")
    if headers.get("content-encoding", "identity") != "identity":
        raise AnswerError(415, "a Content-Encoding is not taken; send the body as it is")
    return int(text)


def _expects(headers: Mapping[str, str]) -> bool:
    text = headers.get("expect")
    if text is not None and text.lower() != "100-continue":
        raise AnswerError(417, "only Expect: 100-continue is understood")
    return text is not None


def response(answer: Answer, close: bool, method: str = "GET") -> bytes:
    """The whole response as bytes; to a HEAD it says the body's length, but does not send it."""
    lines = [
        f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, '')}",
        f"Content-Type: {answer.kind}",
        f"Content-Length: {len(answer.body)}",
        *(f"{name}: {value}" for name, value in answer.headers.items()),
    ]
    if close:
        lines.append("Connection: close")
    head = "\r\n".join([*lines, "\r\n"]).encode("latin-1")
    return head if method == "HEAD" else head + answer.body
