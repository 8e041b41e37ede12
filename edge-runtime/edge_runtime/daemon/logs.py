"""The daemon's log: a line of JSON for each thing that happened, bounded, in the state folder."""

import json
import logging
import logging.handlers
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from edge_runtime import durable

NAME = "daemon.jsonl"
MAX_BYTES = 1024 * 1024
KEPT = 4  # older files: daemon.jsonl.1 and on
FOLLOW_S = 0.5


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        about = {
            key: value
            for key in ("event", "model", "release")
            if (value := getattr(record, key, None)) is not None
        }
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {
            "time": moment,
            "level": record.levelname.lower(),
            **about,
            "message": record.getMessage(),
        }
        return json.dumps(line, ensure_ascii=False)


class _Files(logging.handlers.RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - its name there
        """A full disk must not stop the daemon; stderr has the line as well."""


def start(folder: Path) -> logging.Handler:
    """Write what the runtime logs (INFO and up) into `folder`, besides what stderr gets.

    Raises StorageError.
    """
    durable.make_folder(folder)
    with durable.storage(folder):
        handler = _Files(folder / NAME, maxBytes=MAX_BYTES, backupCount=KEPT, encoding="utf-8")
    handler.setFormatter(_Lines())
    handler.setLevel(logging.INFO)
    logger = logging.getLogger("edge_runtime")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    return handler


def stop(handler: logging.Handler) -> None:
    """End what `start` began."""
    logging.getLogger("edge_runtime").removeHandler(handler)
    handler.close()


def read(folder: Path, since: float = 0.0) -> Iterator[str]:
    """The lines from `since` (seconds since 1970) on, the oldest first."""
    for number in range(KEPT, -1, -1):
        path = folder / (f"{NAME}.{number}" if number else NAME)
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                lines = file.readlines(2 * MAX_BYTES)
        except FileNotFoundError:
            continue
        yield from (line.rstrip("\n") for line in lines if moment_of(line) >= since)


def _nap() -> None:
    time.sleep(FOLLOW_S)


def follow(folder: Path, nap: Callable[[], object] = _nap) -> Iterator[str]:
    """Lines as they are written, for ever, across rotations; looks again after each `nap`."""
    path = folder / NAME
    place, number = _end(path)
    while True:
        nap()
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                found = os.fstat(file.fileno())
                if found.st_ino != number or found.st_size < place:
                    place, number = 0, found.st_ino
                file.seek(place)
                while (line := file.readline(MAX_BYTES)).endswith("\n"):
                    place = file.tell()
                    yield line.rstrip("\n")
        except FileNotFoundError:
            continue


def _end(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_size, found.st_ino


def moment_of(line: str) -> float:
    """When a line was written, in seconds since 1970; 0 where it does not say."""
    try:
        return datetime.fromisoformat(json.loads(line)["time"]).timestamp()
    except (ValueError, KeyError, TypeError):
        return 0.0
