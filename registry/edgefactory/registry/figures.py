"""Which figures a card shows, and in which order: those of the evidence, nothing computed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge_runtime.contract import Evidence, EvidenceBook, Variant
from edgefactory.registry.binding import TEACHER, counts_for

COLUMNS = (
    ("ap50", "AP50"),
    ("accuracy", "accuracy"),
    ("ap50_minus_teacher", "AP50 − teacher"),
    ("ap50_minus_fp32", "AP50 − fp32"),
    ("accuracy_minus_fp32", "accuracy − fp32"),
    ("agreement", "decides as fp32"),
    ("latency_ms", "latency, ms"),
    ("time_ratio", "× faster than the teacher"),
    ("macs", "MACs"),
    ("bytes", "bytes"),
)
"""The figures that a card shows, in this order, where there are any; all are in the evidence."""

ALL = "all"
KINDS = {"class": "class", "size": "size", "source": "camera", "time": "time of day"}
SIZES = ("small", "medium", "large")


@dataclass(frozen=True)
class Row:
    """The figures of one subject (a variant, or the teacher in one engine and precision)."""

    subject: str
    engine: str
    precision: str
    figures: Mapping[str, Evidence]


def rows(book: EvidenceBook, offered: Sequence[Variant], part: str = ALL) -> tuple[Row, ...]:
    """The figures on the slice `part`, in the evidence's order of subjects."""
    subjects: dict[tuple[str, str, str], dict[str, Evidence]] = {}
    names = {variant.name: variant for variant in offered}
    for item in book.items:
        variant = names.get(item.subject)
        shown = item.subject == TEACHER or (variant and counts_for(item, variant))
        if shown and item.slice == part:
            key = (item.subject, item.engine, item.precision)
            subjects.setdefault(key, {}).setdefault(item.metric, item)
    return tuple(Row(*key, figures) for key, figures in subjects.items())


def columns(found: Sequence[Row]) -> tuple[tuple[str, str], ...]:
    """The metrics that any of the rows has, each with its title."""
    return tuple(column for column in COLUMNS if any(column[0] in row.figures for row in found))


def parts(book: EvidenceBook) -> tuple[str, ...]:
    """The slices that anything was measured on, apart from all pictures: classes, sizes, cameras,
    times of day, then others; those of a kind in order of name, sizes from small to large."""
    return tuple(sorted({item.slice for item in book.items} - {ALL}, key=_rank))


def kind_and_name(part: str) -> tuple[str, str]:
    """The kind of a slice as people call it, and its name: "camera", "yard" of "source:yard"."""
    by, is_of_kind, name = part.partition(":")
    return (KINDS.get(by, by), name) if is_of_kind else ("", part)


def _rank(part: str) -> tuple[int, int, str]:
    by, _, name = part.partition(":")
    kind = list(KINDS).index(by) if by in KINDS else len(KINDS)
    return kind, SIZES.index(name) if by == "size" and name in SIZES else 0, part


def figure(item: Evidence | None) -> str:
    """A figure with its interval in brackets; a dash where there is none."""
    if item is None:
        return "–"
    if float(item.value).is_integer() and abs(item.value) >= 1000:
        return f"{item.value:.0f}"
    text = f"{item.value:.4g}"
    if item.interval is not None:
        text += f" [{item.interval[0]:.3g}, {item.interval[1]:.3g}]"
    return text
