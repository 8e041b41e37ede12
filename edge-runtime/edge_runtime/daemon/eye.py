"""What a stream's camera usually shows is kept over restarts, and learned anew when it is removed.

So a camera that was turned while the box was off is found out, and one that was turned on purpose
is accepted by removing one file, whether the daemon runs or not.
"""

import logging
import time
from pathlib import Path
from typing import Final

from edge_runtime.errors import StorageError
from edge_runtime.watching import Watcher
from edge_runtime.watching.background import load_background, save_background

LOOK_S: Final = 2.0  # between looks at the file
KEEP_S: Final = 3600.0  # between writes of what follows slowly
PATIENCE: Final = 2.0  # times the longest silence of a source, before the camera counts as gone

log = logging.getLogger(__name__)


class Eye:
    """The camera of stream `name`, whose source is at `place`; belongs to the stream's thread."""

    def __init__(self, watcher: Watcher, name: str, place: str, path: Path) -> None:
        self._watcher, self._name, self._place, self._path = watcher, name, place, path
        self._patience = 0.0
        self._looked = self._kept_at = float("-inf")
        self._kept = False
        self._failing = False

    def open(self, silent_s: float) -> None:
        """Begin with what is kept; the source may be silent for `silent_s`."""
        known = load_background(self._path, self._place)
        self._kept, self._kept_at = known is not None, time.monotonic()
        self._patience = PATIENCE * silent_s
        self._watcher.open(self._name, known, self._patience)

    def look(self) -> None:
        """Call it after each picture: now and then keep what is known, or forget it when told."""
        now = time.monotonic()
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        if self._kept and not self._path.exists():
            self._kept = False
            self._watcher.open(self._name, None, self._patience)
            log.info("stream %s: what it shows is learned anew, as told", self._name)
        elif not self._kept or now - self._kept_at >= KEEP_S:
            self._keep(now)

    def close(self) -> None:
        """Keep what is known, and expect no more pictures."""
        if not self._kept or self._path.exists():
            self._keep(time.monotonic())
        self._watcher.end(self._name)

    def _keep(self, now: float) -> None:
        known = self._watcher.background(self._name)
        if known is None:
            return
        try:
            self._kept = save_background(self._path, self._place, known)
        except StorageError as error:
            if not self._failing:
                log.warning("stream %s: what it shows is not kept: %s", self._name, error)
            self._failing = True
            return
        self._failing, self._kept_at = False, now
