"""From the spool to whoever takes what is told, batch by batch, at its turn.

A batch that is refused as it is (`RefusedError`) is halved until a single entry is left. That one
is set aside only once the receiver has taken another: one that refuses everything costs nothing
but time.
"""

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from edge_runtime.errors import EdgeRuntimeError, RefusedError
from edge_runtime.watching.spool import Entry, Spool
from edge_runtime.watching.telling import Receiver

BATCH_BYTES = 256 * 1024
MOST_AT_ONCE = 1024  # entries
FIRST_WAIT_S, LONGEST_WAIT_S = 30.0, 3600.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Turn:
    """When to forward next, how often it has failed in a row, why the last time, and of how many
    entries the next batch may be."""

    at: float = 0.0
    failures: int = 0
    why: str = ""
    most: int = MOST_AT_ONCE


def forward(spool: Spool, receiver: Receiver, turn: Turn, now: float) -> Turn:
    """Hand over one batch, if its turn has come, and acknowledge it once it is safe there.

    More is waiting where the turn that is returned is at `now`; else it comes after a pause that
    doubles with every failure up to an hour, with jitter. `now` in seconds of any steady clock.
    Raises StorageError when the spool fails.
    """
    if now < turn.at:
        return turn
    entries = spool.batch(BATCH_BYTES, turn.most)
    if not entries:
        return Turn(at=now + FIRST_WAIT_S)
    refused, failed = _offer(spool, receiver, entries)
    if refused and len(entries) > 1:
        return replace(turn, at=now, most=len(entries) // 2)
    if refused:
        failed = _set_aside(spool, receiver, entries[0], refused)
    if failed:
        return _later(turn, now, failed)
    return Turn(at=now, most=min(2 * turn.most, MOST_AT_ONCE))


def _offer(spool: Spool, receiver: Receiver, entries: Sequence[Entry]) -> tuple[str, str]:
    """Hand over `entries`: why they were refused, or why it failed; neither when they are safe."""
    try:
        receiver.take(spool.epoch, entries)
    except RefusedError as error:
        return str(error), ""
    except EdgeRuntimeError as error:
        return "", str(error)
    spool.acknowledge(entries)
    return "", ""


def _set_aside(spool: Spool, receiver: Receiver, entry: Entry, why: str) -> str:
    """Set `entry` aside, which was refused; why it stays where that may not be its own fault."""
    other = spool.newest(besides=entry)
    if other is None:
        return f"{why} to the only message; it is set aside once another is taken"
    refused, failed = _offer(spool, receiver, (other,))
    if refused or failed:
        return failed or f"{refused}, whatever it is sent; nothing is set aside"
    spool.set_aside(entry, why)
    log.warning("telemetry %d is refused and set aside: %s", entry.sequence, why)
    return ""


def _later(turn: Turn, now: float, why: str) -> Turn:
    """Between half and all of 30 s, 1 min, 2 min … 1 h, so that sites do not return together."""
    longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(turn.failures, 16))
    return replace(
        turn, at=now + longest * random.uniform(0.5, 1), failures=turn.failures + 1, why=why
    )
