"""Who tells, and who takes it: signed into the spool; to a URL, or into a folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec
import urllib3
from urllib3.exceptions import HTTPError, LocationValueError

from edge_runtime import __version__, durable
from edge_runtime.contract import MachineHealth, Telemetry, Watch, encode
from edge_runtime.contract.sealing import seal_telemetry
from edge_runtime.errors import InputError, MissingError, RefusedError
from edge_runtime.trust.http import TIMEOUT_S, explain, refuse_portal
from edge_runtime.watching.spool import Class, Entry, Spool

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MOST_FILES = 1024  # in an outbox that nobody empties
SUFFIX = ".telemetry.json"
_REFUSALS = frozenset({400, 409, 413, 415, 422})  # of these bytes; others are of the place, or time


@dataclass(frozen=True)
class Teller:
    """Who tells: the site, and its device key."""

    site: str
    key: "Ed25519PrivateKey"

    def tell(self, spool: Spool, watch: Watch, machine: MachineHealth, now: float) -> None:
        """Put signed telemetry as of `now` (seconds since 1970) into the spool: as an alarm where
        something is to be done. It is kept from the next `flush` on."""
        kind: Class = "report" if watch.route == "none" else "alarm"
        dropped, note = spool.dropped, spool.note[:500]

        def make(epoch: str, sequence: int) -> bytes:
            told = Telemetry(
                schema="telemetry/1",
                site=self.site,
                epoch=epoch,
                sequence=sequence,
                time=int(now),
                watch=watch,
                machine=machine,
                dropped=dropped,
                note=note,
            )
            return encode(seal_telemetry(told, self.key))

        spool.put(kind, make)


class Receiver(Protocol):
    """Takes entries for good, or raises MissingError (try later), StorageError, InputError, or
    RefusedError: not these, however often."""

    def take(self, epoch: str, entries: Sequence[Entry]) -> None:
        """Take `entries`; when it returns they are safe there."""


class Collector:
    """A web server: batches are POSTed to `url` as a JSON array of signed telemetry; 2xx means
    that they are kept there."""

    def __init__(self, url: str, timeout: float = TIMEOUT_S) -> None:
        self._url = url
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=timeout, read=timeout),
            retries=False,
            headers={
                "User-Agent": f"edge-runtime/{__version__}",
                "Content-Type": "application/json",
            },
        )

    def take(self, epoch: str, entries: Sequence[Entry]) -> None:  # noqa: ARG002 - signed within
        """Send `entries` in one request."""
        body = msgspec.json.encode([msgspec.Raw(entry.body) for entry in entries])
        try:
            answer = self._pool.request(
                "POST", self._url, body=body, redirect=False, preload_content=False
            )
        except LocationValueError as error:
            raise InputError(f"{self._url} is not a URL: {error}") from error
        except HTTPError as error:
            raise MissingError(f"{self._url}: {explain(error)}") from error
        try:
            refuse_portal(self._url, answer)
        finally:
            answer.close()  # whatever else it says is not read
        said = f"{self._url}: the collector answers {answer.status}; expected 2xx"
        if answer.status in _REFUSALS:
            raise RefusedError(said)
        if not 200 <= answer.status < 300:
            raise MissingError(said)


@dataclass(frozen=True)
class Outbox:
    """A folder that somebody empties, one file an entry: told twice, it has the same name."""

    folder: Path
    site: str

    def take(self, epoch: str, entries: Sequence[Entry]) -> None:
        """Write `entries`, durably."""
        durable.make_folder(self.folder)
        with durable.storage(self.folder):
            there = sum(1 for _ in self.folder.glob(f"*{SUFFIX}"))
        if there + len(entries) > MOST_FILES:
            raise MissingError(f"{self.folder} holds {there} files; somebody must fetch them")
        for entry in entries:
            name = f"{self.site}-{epoch}-{entry.sequence:012d}{SUFFIX}"
            durable.write(self.folder / name, entry.body)
