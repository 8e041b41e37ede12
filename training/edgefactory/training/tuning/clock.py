"""How much of its time a search has used, over all calls of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from edgefactory.datasets.files import storage_errors, write_file

_BEAT_SECONDS: Final = 2.0  # at most so much is forgotten when the search is killed


class Used(Struct, frozen=True, forbid_unknown_fields=True):
    """`clock.json`: the seconds that earlier calls took."""

    schema: Literal["tune-clock/1"]
    seconds: Annotated[float, Meta(ge=0.0)]


class Clock:
    """Counts this call, which began at `began` of `now`, and those before it, kept at `path`."""

    def __init__(self, path: Path, limit: float, began: float, now: Callable[[], float]) -> None:
        self.limit, self.now = limit, now
        self._path, self._began, self._beaten = path, began, now()
        self._before = _read(path)

    @property
    def used(self) -> float:
        """Seconds, of all calls together."""
        return self._before + self.now() - self._began

    @property
    def left(self) -> float:
        """Seconds until the promised time is over; below 0 when it is."""
        return self.limit - self.used

    def beat(self) -> None:
        """Write down how late it is, if that was some time ago."""
        if self.now() - self._beaten > _BEAT_SECONDS:
            self.stop()

    def stop(self) -> None:
        """Write down how late it is. Raises StorageError when the disk refuses."""
        self._beaten = self.now()
        write_file(self._path, msgspec.json.encode(Used("tune-clock/1", self.used)))


def _read(path: Path) -> float:
    with storage_errors(path):
        try:
            return msgspec.json.decode(path.read_bytes(), type=Used).seconds
        except (FileNotFoundError, msgspec.MsgspecError):
            return 0.0  # the first call, or one whose disk lost it
