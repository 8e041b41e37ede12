"""Where releases come from: a web server, or a stick that was made for this site's group."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import urllib3

GROUP_FIELD = "x-edgefactory-group"
ETAG = r'\A(W/)?"[\x21\x23-\x7e]{1,200}"\Z'  # RFC 9110, 8.8.3; and not too long to be kept


@dataclass(frozen=True)
class Answer:
    """What came of asking for a document: the HTTP `status`; with 200 its `body`, block by block.

    `etag` stands for that body and no other; empty where there is none to rely on.
    """

    status: int
    body: Iterator[bytes] = field(default_factory=lambda: iter(()))
    etag: str = ""


class Source(Protocol):
    """Whatever static files are fetched by: `Http` or `Stick`."""

    def open(self, url: str, first: int = 0) -> "urllib3.BaseHTTPResponse":
        """Ask for `url`, from byte `first` on; the caller looks at the status."""

    def ask(self, url: str, etag: str = "") -> Answer:
        """Ask for the document at `url`, or for 304 if it is still the one of `etag`."""

    def chunks(self, url: str, answer: "urllib3.BaseHTTPResponse") -> Iterator[bytes]:
        """The body of `answer` block by block."""

    def get(self, url: str, limit: int) -> bytes:
        """The body at `url`, of at most `limit` bytes."""


@dataclass(frozen=True)
class Origin:
    """The base `url` of a published tree, what fetches from it, and where its metadata is cached.

    `group` is the group whose stick it must be; None for a server, which must offer none of these:
    a stick's metadata lives longer, and would hold a site back if it came over the network.
    """

    url: str
    source: Source
    cache: Path
    group: str | None = None

    @property
    def blobs(self) -> str:
        """The URL under which blobs lie by their SHA-256."""
        return f"{self.url}/blobs"
