"""How `tuf.ngclient` gets metadata: by our own client, and the timestamp only if it has changed."""

import hashlib
from collections.abc import Iterator

from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient.fetcher import FetcherInterface

from edge_runtime.trust.origin import Answer, Source
from edge_runtime.trust.unchanged import MAX_TIMESTAMP_BYTES


class Fetcher(FetcherInterface):
    """Metadata below the URL `base` by our own client; tuf caps the lengths."""

    def __init__(self, source: Source, base: str) -> None:
        self._source, self.base = source, base
        self._held: bytes | None = None
        self._no_root = False
        self._etag, self._sha256 = "", hashlib.sha256()

    @property
    def timestamp(self) -> tuple[str, str]:
        """ETag and SHA-256 of the timestamp as it came."""
        return self._etag, self._sha256.hexdigest()

    def unchanged(self, etag: str, data: bytes) -> bool:
        """Ask whether the timestamp is still the one of `etag`, which is `data`.

        If so, it is what tuf will get, and no next root. What has come instead is not asked for
        again.
        """
        self._etag = etag
        try:
            self._held = self.download_bytes(self._timestamp_url, MAX_TIMESTAMP_BYTES)
        except DownloadHTTPError as error:
            if error.status_code != 304:
                raise
            self._held, self._no_root = data, True
        return self._no_root

    @property
    def _timestamp_url(self) -> str:
        return f"{self.base}timestamp.json"

    def _fetch(self, url: str) -> Iterator[bytes]:
        is_timestamp = url == self._timestamp_url
        if is_timestamp and self._held is not None:
            return iter((self._held,))
        if self._no_root and url.endswith(".root.json"):
            raise DownloadHTTPError(f"{url}: there was none at the last poll", 404)
        answer = self._source.ask(url, self._etag if is_timestamp else "")
        if answer.status != 200:
            raise DownloadHTTPError(f"{url}: the server answers {answer.status}", answer.status)
        return self._noted(answer) if is_timestamp else answer.body

    def _noted(self, answer: Answer) -> Iterator[bytes]:
        self._etag = answer.etag
        for chunk in answer.body:
            self._sha256.update(chunk)
            yield chunk
