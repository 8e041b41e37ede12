"""A published tree on a stick: the same files and the same rules, read from a folder."""

import io
from collections.abc import Iterator
from pathlib import Path

import urllib3

from edge_runtime.errors import MissingError, TrustError
from edge_runtime.trust.origin import Answer
from edge_runtime.trust.unpacking import CHUNK_BYTES

URL = "stick:"


class Stick:
    """Files under `folder` by URLs that begin with URL, as `Http` fetches those of a server."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def open(self, url: str, first: int = 0) -> urllib3.BaseHTTPResponse:
        """The file at `url`, from byte `first` on; 404 when there is none on the stick.

        Raises MissingError when it cannot be read.
        """
        path = self._path(url)
        if path is None:
            return _answer(404, io.BytesIO(), {})
        try:
            file = path.open("rb")
            size = path.stat().st_size
            file.seek(first)
        except OSError as error:
            raise _gone(url, error) from error
        if not first:
            return _answer(200, file, {})
        if first >= size:
            file.close()
            return _answer(416, io.BytesIO(), {})
        return _answer(206, file, {"Content-Range": f"bytes {first}-{size - 1}/{size}"})

    def ask(self, url: str, etag: str = "") -> Answer:  # noqa: ARG002 - a stick has no ETags
        """The document at `url`; 404 when there is none. Raises as `open`."""
        answer = self.open(url)
        if answer.status != 200:
            return Answer(answer.status)
        return Answer(200, self.chunks(url, answer))

    def _path(self, url: str) -> Path | None:
        """The file that `url` names, None where no such file can be on this stick."""
        try:
            path = (self._folder / url.removeprefix(f"{URL}/")).resolve()
            return path if path.is_relative_to(self._folder) and path.is_file() else None
        except (OSError, ValueError, RuntimeError):  # too long a name, a NUL in it, a loop of links
            return None

    def chunks(self, url: str, answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
        """The body of `answer` block by block. Raises MissingError when the stick is pulled."""
        try:
            while chunk := answer.read(CHUNK_BYTES):
                yield chunk
        except (OSError, urllib3.exceptions.HTTPError) as error:
            raise _gone(url, error) from error
        finally:
            answer.close()

    def get(self, url: str, limit: int) -> bytes:
        """The file at `url`. Raises MissingError, or TrustError when it is over `limit` bytes."""
        answer = self.ask(url)
        if answer.status != 200:
            name = url.removeprefix(f"{URL}/")[:200]
            raise MissingError(f"{name!r} is not on the stick; is it whole?")
        body = bytearray()
        for chunk in answer.body:
            body += chunk
            if len(body) > limit:
                raise TrustError(f"{url} is longer than the {limit} bytes that were expected")
        return bytes(body)


def _answer(status: int, file: io.IOBase, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
    return urllib3.HTTPResponse(body=file, status=status, headers=headers, preload_content=False)


def _gone(url: str, error: Exception) -> MissingError:
    return MissingError(f"{url} cannot be read ({error}); put the stick in and run it again")
