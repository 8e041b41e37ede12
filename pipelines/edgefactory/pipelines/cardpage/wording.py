"""What the card's page says, in words. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from edge_runtime.contract import Evidence, Variant
from edgefactory.pipelines.report.tiles import Tile
from edgefactory.pipelines.report.wording import (
    count,
    difference,
    interval,
    milliseconds,
    quality,
    significant,
    size,
    times,
)
from edgefactory.registry.figures import COLUMNS, Row

TITLES = dict(COLUMNS)
QUALITIES = ("ap50", "accuracy")
TILES = (
    "ap50", "accuracy", "ap50_minus_teacher", "ap50_minus_fp32", "accuracy_minus_fp32",
    "latency_ms", "bytes",
)  # fmt: skip
MOST_TILES = 4
UNITS: Mapping[str, Callable[[float], str]] = MappingProxyType(
    {
        "ap50": quality,
        "accuracy": quality,
        "agreement": quality,
        "latency_ms": milliseconds,
        "time_ratio": times,
        "bytes": lambda value: size(round(value)),
    }
)


def value(metric: str, item: Evidence | None) -> str:
    """The figure in its own unit; a dash where there is none."""
    if item is None:
        return "–"
    if "_minus_" in metric:
        return difference(item.value)
    return UNITS.get(metric, count)(item.value)


def bounds(item: Evidence | None) -> str:
    """The interval, if there is one."""
    if item is None or item.interval is None:
        return ""
    low, high = item.interval
    if "_minus_" in item.metric:
        return f"{difference(low)} to {difference(high)}"
    if item.metric.startswith("time_ratio"):
        return f"{significant(low)}–{significant(high)}"
    return interval(item.interval)


def fastest(found: Sequence[Row], offered: Sequence[Variant]) -> Row | None:
    """The offered variant of the lowest latency that was measured; else the first with figures."""
    names = {variant.name for variant in offered}
    ours = [row for row in found if row.subject in names]
    timed = [row for row in ours if "latency_ms" in row.figures]
    if timed:
        return min(timed, key=lambda row: row.figures["latency_ms"].value)
    return ours[0] if ours else None


def _of(item: Evidence) -> str:
    """What the figure rests on."""
    if item.metric == "bytes":
        return "all its files"
    return f"{item.n:,} {'calls' if item.metric == 'latency_ms' else 'pictures'}"


def tiles(row: Row | None) -> list[Tile]:
    """The figures that are looked at first."""
    if row is None:
        return []
    there = [(metric, row.figures[metric]) for metric in TILES if metric in row.figures]
    return [
        Tile(
            TITLES[metric].partition(",")[0],
            value(metric, item),
            f"95%: {bounds(item)}, {_of(item)}" if item.interval else _of(item),
        )
        for metric, item in there[:MOST_TILES]
    ]
