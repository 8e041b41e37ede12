"""A site's state folder: where things lie, who the site is, and that one process changes it."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from edge_runtime import durable
from edge_runtime.contract import decode
from edge_runtime.contract.events import SiteId
from edge_runtime.errors import BusyError, ContractError, MissingError, StorageError
from edge_runtime.store import Contents
from edge_runtime.store.quota import DEFAULT_BYTES, taken

MAX_SITE_BYTES = 64 * 1024
MAX_ROOT_BYTES = 512_000
PATIENCE_S = 1.0


class Site(Struct, frozen=True, forbid_unknown_fields=True):
    """Who this box is and where its releases are published. `root_sha256` is its trust anchor.

    `quota_bytes` is what the state may take on disk; UNSET: the default.
    """

    schema: Literal["site/1"]
    site: SiteId
    region: str
    url: str
    root_sha256: str
    device_key: str
    quota_bytes: Annotated[int, Meta(ge=1)] | UnsetType = UNSET

    @property
    def quota(self) -> int:
        """The most bytes that the state may take on disk."""
        return self.quota_bytes or DEFAULT_BYTES


@dataclass(frozen=True)
class State:
    """The paths under a site's state folder."""

    folder: Path

    @property
    def site_file(self) -> Path:
        """Who the site is; its presence says that the site is enrolled."""
        return self.folder / "site.json"

    @property
    def root_file(self) -> Path:
        """The root metadata that the site was enrolled with."""
        return self.folder / "root.json"

    @property
    def device_key(self) -> Path:
        """The device's private key (PEM, ed25519, mode 0600)."""
        return self.folder / "device.pem"

    @property
    def device_file(self) -> Path:
        """Who this site is to the factory, with its public key: for whoever keeps the list."""
        return self.folder / "device.json"

    @property
    def outbox(self) -> Path:
        """Signed reports that wait to be fetched; the oldest give way."""
        return self.folder / "outbox"

    @property
    def report_counter(self) -> Path:
        """The counter of the last report."""
        return self.folder / "report-counter"

    @property
    def trust(self) -> Path:
        """The high-water marks."""
        return self.folder / "trust"

    @property
    def metadata(self) -> Path:
        """Cached TUF metadata: may be lost at any time."""
        return self.folder / "metadata"

    @property
    def journal(self) -> Path:
        """The slots of every model: what `load_journal` reads, in two copies beside this name."""
        return self.folder / "slots.json"

    @property
    def contents(self) -> Contents:
        """The verified files of releases."""
        return Contents(self.folder / "blobs", self.folder / "partial", self._room)

    def _room(self) -> int:
        """Bytes that the state may still grow by; none where nobody has said who the site is."""
        try:
            return self.site().quota - taken(self.folder)
        except (MissingError, StorageError):
            return 0

    def site(self) -> Site:
        """Who this site is. Raises MissingError when it is not enrolled, StorageError on damage."""
        try:
            data = durable.read(self.site_file, MAX_SITE_BYTES, "the site's identity")
        except MissingError:
            raise MissingError(
                f"{self.folder} is not enrolled; run `edge-runtime --state {self.folder} enroll`"
            ) from None
        try:
            return decode(data, Site, str(self.site_file))
        except ContractError as error:
            raise StorageError(f"{self.site_file} is damaged: {error}") from error

    @property
    def settings(self) -> Path:
        """What the daemon is told by its operator; need not be there."""
        return self.folder / "daemon.toml"

    @property
    def socket(self) -> Path:
        """Where the daemon answers who may open it."""
        return self.folder / "serve.sock"

    @property
    def cameras(self) -> Path:
        """What each stream's camera usually shows, by the stream's name."""
        return self.folder / "cameras"

    @property
    def events(self) -> Path:
        """What the daemon's streams saw, by the stream's name."""
        return self.folder / "events"

    @property
    def logs(self) -> Path:
        """The daemon's log."""
        return self.folder / "logs"

    @contextlib.contextmanager
    def lock(self, patience: float = PATIENCE_S) -> Iterator[None]:
        """Hold the state for changes. Raises BusyError when another process still holds it after
        `patience` seconds: the daemon does for moments only, an update for minutes."""
        busy = "is being changed by process {}; try again when it is done"
        with self._hold("lock", busy, patience):
            yield

    @contextlib.contextmanager
    def daemon_lock(self) -> Iterator[None]:
        """Be the one daemon of this state. Raises BusyError when there is one already."""
        with self._hold("daemon.lock", "has a daemon already, process {}; one is enough", 0.0):
            yield

    @contextlib.contextmanager
    def _hold(self, name: str, busy: str, patience: float) -> Iterator[None]:
        durable.make_folder(self.folder)
        path = self.folder / name
        with durable.storage(path):
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if not _locked(handle, patience):
                owner = os.read(handle, 32).decode("ascii", "replace").strip() or "unknown"
                raise BusyError(f"{self.folder} {busy.format(owner)}")
            with contextlib.suppress(OSError):  # a full disk: the name of the holder is a courtesy
                os.ftruncate(handle, 0)
                os.write(handle, str(os.getpid()).encode())
            yield
        finally:
            os.close(handle)


def _locked(handle: int, patience: float) -> bool:
    """Whether the lock on `handle` could be had within `patience` seconds."""
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(0.02)
        else:
            return True


def default_folder() -> Path:
    """Where the state lies when nothing is said: $XDG_STATE_HOME/edge-runtime."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "edge-runtime"
