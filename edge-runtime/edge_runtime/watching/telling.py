"""From what is watched to whoever collects it: signed into the spool, then to a URL or a folder."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec
import urllib3
from urllib3.exceptions import HTTPError, LocationValueError

from edge_runtime import __version__, durable
from edge_runtime.contract import MachineHealth, Telemetry, Watch, encode
from edge_runtime.contract.sealing import seal_telemetry
from edge_runtime.errors import EdgeRuntimeError, InputError, MissingError
from edge_runtime.trust.http import TIMEOUT_S, explain, refuse_portal
from edge_runtime.watching.spool import Class, Entry, Spool

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

BATCH_BYTES = 256 * 1024
MOST_FILES = 1024  # in an outbox that nobody empties
SUFFIX = ".telemetry.json"
FIRST_WAIT_S, LONGEST_WAIT_S = 30.0, 3600.0


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
    """Takes entries for good, or raises MissingError (try later), StorageError, InputError."""

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
        if not 200 <= answer.status < 300:
            raise MissingError(f"{self._url}: the collector answers {answer.status}; expected 2xx")


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


@dataclass(frozen=True)
class Turn:
    """When to forward next, how often it has failed in a row, and why the last time."""

    at: float = 0.0
    failures: int = 0
    why: str = ""


def forward(spool: Spool, receiver: Receiver, turn: Turn, now: float) -> Turn:
    """Hand over one batch, if its turn has come, and acknowledge it once it is safe there.

    More is waiting where the turn that is returned is at `now`; else it comes after a pause that
    doubles with every failure up to an hour, with jitter. `now` in seconds of any steady clock.
    Raises StorageError when the spool fails.
    """
    if now < turn.at:
        return turn
    epoch, entries = spool.epoch, spool.batch(BATCH_BYTES)
    if not entries:
        return Turn(at=now + FIRST_WAIT_S)
    try:
        receiver.take(epoch, entries)
    except EdgeRuntimeError as error:
        return _later(turn, now, str(error))
    spool.acknowledge(entries)
    return Turn(at=now)


def _later(turn: Turn, now: float, why: str) -> Turn:
    """Between half and all of 30 s, 1 min, 2 min … 1 h, so that sites do not return together."""
    longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(turn.failures, 16))
    return replace(
        turn, at=now + longest * random.uniform(0.5, 1), failures=turn.failures + 1, why=why
    )
