"""One way to ask a web server for bytes: bounded, timed, no redirects, errors in one line."""

import re
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)

from edge_runtime import __version__
from edge_runtime.errors import InputError, MissingError, TrustError
from edge_runtime.trust.origin import ETAG, Answer
from edge_runtime.trust.unpacking import CHUNK_BYTES, unpacked

TIMEOUT_S = 20.0
SLOWEST_BYTES_S = 512.0  # a thinner link than any branch has; below it somebody drips on purpose
STEADY_S = 60.0  # what changed a shorter time ago is asked for in full once more


class Http:
    """A client for static files. `timeout` (seconds) holds for connecting and for each read.

    A body may take `timeout` and what its bytes need at SLOWEST_BYTES_S, so that a server that
    drips cannot hold an update for ever. `retry_after` is the longest time (seconds) for which
    the server, being too busy, asked to be left alone.
    """

    def __init__(self, timeout: float = TIMEOUT_S) -> None:
        self.retry_after = 0.0
        self._timeout = timeout
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=timeout, read=timeout),
            retries=False,
            headers={"User-Agent": f"edge-runtime/{__version__}", "Accept-Encoding": "identity"},
        )

    def open(self, url: str, first: int = 0) -> urllib3.BaseHTTPResponse:
        """Ask for `url`, from byte `first` on; the caller looks at the status.

        Raises MissingError when no answer comes, or when a captive portal answers instead.
        """
        answer = self._request(url, {"Range": f"bytes={first}-"} if first else {})
        refuse_portal(url, answer)
        return answer

    def ask(self, url: str, etag: str = "") -> Answer:
        """Ask for the document at `url`, packed if the server can; 304 when `etag` still holds.

        Raises as `open`.
        """
        condition = {"If-None-Match": etag} if etag else {}
        answer = self._request(url, {"Accept-Encoding": "gzip", **condition})
        if answer.status == 304 and etag:
            answer.close()
            return Answer(304)
        refuse_portal(url, answer)
        if answer.status != 200:
            answer.close()
            return Answer(answer.status)
        body = self.chunks(url, answer)
        if answer.headers.get("Content-Encoding", "").lower() in {"gzip", "x-gzip"}:
            body = unpacked(url, body)
        return Answer(200, body, steady_etag(answer.headers))

    def _request(self, url: str, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        try:
            answer = self._pool.request(
                "GET",
                url,
                headers={**self._pool.headers, **headers},
                preload_content=False,
                redirect=False,
            )
        except LocationValueError as error:
            raise InputError(f"{url} is not a URL: {error}") from error
        except HTTPError as error:
            raise MissingError(f"{url}: {explain(error)}") from error
        if answer.status in {429, 503}:
            self.retry_after = max(self.retry_after, _seconds(answer.headers.get("Retry-After")))
        return answer

    def chunks(self, url: str, answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
        """The body of `answer` block by block. Raises MissingError when it breaks off or drips."""
        start, received = time.monotonic(), 0
        try:
            while chunk := answer.read1(CHUNK_BYTES, decode_content=False):
                received += len(chunk)
                seconds = time.monotonic() - start
                if seconds > self._timeout + received / SLOWEST_BYTES_S:
                    raise MissingError(
                        f"{url}: only {received} bytes came in {seconds:.0f} s; try again later"
                    )
                yield chunk
        except HTTPError as error:
            raise MissingError(f"{url}: {explain(error)}") from error
        finally:
            answer.close()  # when it was read to its end, its connection is back in the pool

    def get(self, url: str, limit: int) -> bytes:
        """The document at `url`. Raises MissingError, or TrustError when it is over `limit` bytes,
        packed or unpacked."""
        answer = self.ask(url)
        if answer.status != 200:
            raise MissingError(f"{url}: the server answers {answer.status}; expected 200")
        body = bytearray()
        for chunk in answer.body:
            body += chunk
            if len(body) > limit:
                raise TrustError(f"{url} is longer than the {limit} bytes that were expected")
        return bytes(body)


def steady_etag(headers: Mapping[str, str]) -> str:
    """The ETag in the `headers` of an answer, if one may rely on it; else empty.

    Web servers make it of a file's length and its time in seconds, so a file that has just been
    written may be replaced by another with the same ETag (RFC 9110, 8.8.2.2). Nor is it relied on
    while what was published with the file may still be on its way.
    """
    etag = headers.get("ETag", "")
    if not re.search(ETAG, etag):
        return ""
    try:
        now, changed = (parsedate_to_datetime(headers[name]) for name in ("Date", "Last-Modified"))
        age = (now - changed).total_seconds()
    except (KeyError, TypeError, ValueError, OverflowError):
        return ""
    return etag if age >= STEADY_S else ""


def _seconds(stated: str | None) -> float:
    """What a Retry-After of seconds or of a date (RFC 9110, 10.2.3) comes to from now on."""
    try:
        return float(urllib3.Retry(0).parse_retry_after(stated)) if stated else 0.0
    except (HTTPError, OverflowError, ValueError):
        return 0.0


def refuse_portal(url: str, answer: urllib3.BaseHTTPResponse) -> None:
    """Raise MissingError when something between this box and the server answers in its place."""
    if answer.status == 304:
        answer.close()
        raise MissingError(f"{url}: 'not modified' is no answer to what was asked; a broken proxy?")
    if 300 <= answer.status < 400:
        place = answer.headers.get("Location", "elsewhere")
        answer.close()
        raise MissingError(f"{url}: redirected to {place}; is a captive portal in the way?")
    if answer.status == 200 and answer.headers.get("Content-Type", "").startswith("text/html"):
        answer.close()
        raise MissingError(f"{url}: answered by a web page; is a captive portal in the way?")


def explain(error: HTTPError) -> str:
    """What went wrong on the way to the server, in a few words."""
    if isinstance(error, NameResolutionError):
        return "the server's name cannot be resolved; check the URL and the network"
    if isinstance(error, NewConnectionError):
        return "nothing answers at this address; is the server running and the URL right?"
    if isinstance(error, ConnectTimeoutError | ReadTimeoutError):
        return "the server does not answer in time; try again later"
    if isinstance(error, SSLError):
        return f"the TLS connection fails: {error}"
    return f"the connection broke off ({type(error).__name__}); run the command again to continue"
