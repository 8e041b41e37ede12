"""What the status page shows: what runs, the last two minutes, and what others add."""

import time
from collections.abc import Callable, Iterable
from typing import Any, Literal

import msgspec
from msgspec import Struct

from edge_runtime import __version__
from edge_runtime.contract import Decisions
from edge_runtime.hosting import Host, Loaded
from edge_runtime.serving.live import Live
from edge_runtime.serving.metrics import SECONDS, Metrics
from edge_runtime.serving.routes import all_loaded


class Row(Struct, frozen=True, forbid_unknown_fields=True):
    """A line of a panel. `share` is a bar: 1 is the limit of what is shown."""

    name: str
    value: str
    state: Literal["plain", "good", "bad"] = "plain"
    share: float | None = None


class Panel(Struct, frozen=True, forbid_unknown_fields=True):
    """A box of the page, as "Updates" or "Drift"."""

    title: str
    rows: tuple[Row, ...]


Status = Callable[[], tuple[Panel, ...]]
"""Is asked for each refresh, while nobody else is answered: it returns what is known, at once."""

Counted = Callable[[], Iterable[str]]
"""Gives lines of Prometheus' exposition format; asked like `Status`."""


def facts(host: Host, metrics: Metrics, live: Live, panels: tuple[Panel, ...]) -> dict[str, Any]:
    """The document behind the page."""
    now = int(time.time())
    return {
        "runtime": __version__,
        "now": now,
        "seconds": SECONDS,
        "models": [_model(name, loaded, live) for name, loaded in all_loaded(host)],
        "recent": [
            [s.at, s.count, s.failed, round(s.mean_ms, 3), round(s.most_ms, 3)]
            for s in metrics.recent
            if s.at > now - SECONDS
        ],
        "panels": msgspec.to_builtins(panels),
    }


def _model(name: str, loaded: Loaded, live: Live) -> dict[str, Any]:
    active = loaded.active
    seen = live.get(name)
    return {
        "name": name,
        "site": active.site,
        "task": active.release.task,
        "version": active.release.version,
        "sequence": active.release.sequence,
        "release": active.slot.release.sha256,
        "variant": active.slot.variant,
        "engine": active.slot.engine,
        "provider": active.slot.provider,
        "precision": active.variant.precision,
        "since": active.slot.since,
        "ms": active.slot.ms,
        "live": None
        if seen is None
        else {
            "time": seen.time,
            "stream": seen.stream,
            "width": seen.width,
            "height": seen.height,
            "marks": _marks(seen.decisions, active.release.labels),
        },
    }


def _marks(found: Decisions, labels: tuple[str, ...]) -> list[dict[str, Any]]:
    boxes = found.boxes or (None,) * len(found.labels)
    return [
        {"label": labels[i] if 0 <= i < len(labels) else str(i), "score": score, "box": box}
        for i, score, box in zip(found.labels, found.scores, boxes, strict=True)
    ]
